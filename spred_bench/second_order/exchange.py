"""Exchange on few columns: the undamped form of Newton's method on the factors, entirely in inner products.

At a stationary point of (U, V) a coordinate either sits at (0, 0), where its block is no saddle (|q_j| <= alpha), or
has left it with the sign of its correlation. Given a guess of who left and with which sign, one linear system gives the
products; those of the wrong sign go back to (0, 0), those whose block at (0, 0) has become a saddle leave it. While the
columns are few compared to n this settles in a handful of systems; near n it cycles, and the damped steps of
`product_newton` take over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spred_bench.second_order.gram_cache import solve_positive
from spred_bench.second_order.subproblem import Iterate, Subproblem, combine_rows, relative_gap

CROWD = 0.3  # as a fraction of n: with more columns than that in play, exchange is not tried
_MAX_STEPS = 12


def exchange(sub: Subproblem, start: Iterate) -> Iterate | None:
    """Exact solution on the working set from `start`, or None where too many columns are in play or signs cycle."""
    ws, n, alpha = sub.ws, sub.n, sub.alpha
    support = start.w != 0
    candidates = torch.nonzero(support | (start.q.abs() > alpha)).squeeze(1)
    entering = int((start.q.abs() > alpha).sum())
    if max(entering, int(support.sum())) > CROWD * n or len(candidates) > n:
        return None
    while True:
        w = _settle(sub, candidates, start.w[candidates])
        if w is None:
            return None
        full = torch.zeros_like(start.w)
        full[candidates] = w
        r = sub.y - combine_rows(ws.rows, torch.nonzero(full).squeeze(1), full)
        q = (ws.rows @ r) / n
        left_out = q.abs() > alpha * (1 + 1e-9)
        left_out[candidates] = False
        late = torch.nonzero(left_out).squeeze(1)
        if not len(late):
            return Iterate(full, r, q, relative_gap(r, q, full, sub.y, alpha, n))
        if len(candidates) + len(late) > n:
            return None
        start = Iterate(full, r, q)
        candidates = torch.cat([candidates, late])


def _settle(sub: Subproblem, candidates: Tensor, w: Tensor) -> Tensor | None:
    """Solution (c,) of the lasso on the candidates alone, in their inner products; None if signs do not settle."""
    gram = sub.cache.matrix(sub.ws.columns, sub.ws.rows, candidates).clone()
    b, alpha = sub.ws.b[candidates], sub.alpha
    sign, fewest, failures = torch.sign(w), None, 0
    q = b - gram @ w
    for _ in range(_MAX_STEPS):
        out = sign == 0
        entering = out & (q.abs() > alpha * (1 + 1e-9))
        wrong = torch.sign(w) * sign < 0
        infeasible = int(entering.sum()) + int(wrong.sum())
        if fewest is not None and infeasible == 0:
            return w
        failures += fewest is not None and infeasible >= fewest
        if failures > 2:
            return None
        fewest = infeasible if fewest is None else min(fewest, infeasible)
        sign = torch.where(entering, torch.sign(q), torch.where(wrong, 0.0, sign))
        inside = torch.nonzero(sign).squeeze(1)
        w = torch.zeros_like(b)
        if len(inside):
            system = gram.index_select(0, inside).index_select(1, inside)
            solved = solve_positive(system, b[inside] - alpha * sign[inside], sub.cache.buffers)
            if solved is None:
                return None
            w[inside] = solved
        q = b - gram @ w
    return None
