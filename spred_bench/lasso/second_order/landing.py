"""The last step: the exact lasso solution once the signs of the products are nearly known."""

from __future__ import annotations

import torch
from torch import Tensor

from spred_bench.lasso.second_order.gram_cache import solve_positive
from spred_bench.lasso.second_order.subproblem import Iterate, Subproblem, combine_rows, gap_of

_TINY = 1e-5  # a relative gap at which the next penalty's start is as good as from the exact solution


def land(sub: Subproblem, w: Tensor, tol: float, max_steps: int = 12) -> Iterate | None:
    """Exact solution from the support and signs of w: exchange wrong signs and violators while they become fewer.

    A solution whose signs are not all right yet will do once its relative gap is at most `tol` and tiny.
    """
    ws, n, alpha = sub.ws, sub.n, sub.alpha
    inside, sign = w != 0, torch.sign(w)
    fewest, failures = None, 0
    for _ in range(max_steps):
        active = torch.nonzero(inside).squeeze(1)
        k = len(active)
        if k == 0 or k > n:
            return None
        sub.counts.landings += 1
        sub.counts.cubes += (k / 1000) ** 3
        system = sub.cache.matrix(ws.columns, ws.rows, active)
        signs = sign[active]
        solved = solve_positive(system, ws.b[active] - alpha * signs, sub.cache.buffers)
        if solved is None:
            return None
        full = torch.zeros_like(w)
        full[active] = solved
        r = sub.y - combine_rows(ws.rows, active, full)
        q = (ws.rows @ r) / n
        wrong = active[solved * signs < 0]
        entering = torch.nonzero(~inside & (q.abs() > alpha * (1 + 1e-9))).squeeze(1)
        infeasible = len(wrong) + len(entering)
        gap = gap_of(r, q, full, sub.y, alpha, n)
        if gap == float("inf"):
            return None
        if infeasible == 0 or gap <= min(tol, _TINY):
            return Iterate(full, r, q, gap)
        failures += fewest is not None and infeasible >= fewest
        fewest = infeasible if fewest is None else min(fewest, infeasible)
        if infeasible > 0.15 * k + 5 or failures >= 2:
            return None
        inside, sign = inside.clone(), sign.clone()
        inside[wrong] = False
        inside[entering] = True
        sign[entering] = torch.sign(q[entering])
    return None
