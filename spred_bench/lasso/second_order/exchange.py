"""The exact minimum on a working set, in inner products only: Newton's method on the factors without damping.

At a stationary point of (U, V) a coordinate either sits at (0, 0), where its block is no saddle (|q_j| <= alpha), or
has left it with the sign of its correlation. Columns that may have left are gathered from the correlations, the problem
in their inner products is solved by `active_set`, and the columns this brings into play are added until none is.
With many columns in play the damped steps of `product_newton` are faster; where those fail, this is what is left.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spred_bench.lasso.second_order.active_set import descend
from spred_bench.lasso.second_order.subproblem import Iterate, Subproblem, combine_rows, gap_of

CROWD = 0.3  # as a fraction of n: with more columns than that in play, damped steps are faster
FEW_COLUMNS = 128  # whatever n is, with at most this many in play nothing is damped
_NEWCOMERS = 200  # admitted at a time beside as many as are in play
_STEPS = 20  # times the columns in play: after that many turns `active_set` gives up


def exchange(sub: Subproblem, start: Iterate) -> Iterate | None:
    """Exact solution on the working set from `start`, or None where too many columns are in play for it to be fast."""
    support, entering = int((start.w != 0).sum()), int((start.q.abs() > sub.alpha).sum())
    if min(max(entering, support), sub.n) > max(CROWD * sub.n, FEW_COLUMNS):
        return None
    found = settle(sub, start)
    return found if found.gap < float("inf") else None


def settle(sub: Subproblem, start: Iterate) -> Iterate:
    """Solution on the working set from `start`, however many columns come into play and whatever their rank."""
    ws, n, alpha = sub.ws, sub.n, sub.alpha
    w, q = start.w, start.q
    inside = w != 0
    while True:
        violating = torch.nonzero(~inside & (q.abs() > alpha * (1 + 1e-9))).squeeze(1)
        most = _NEWCOMERS + int((w != 0).sum())
        if len(violating) > most:
            violating = violating[torch.topk(q[violating].abs(), most, sorted=False).indices]
        inside[violating] = True
        candidates = torch.nonzero(inside).squeeze(1)
        reached = True
        if len(candidates):
            few, reached = _descend(sub, candidates, w[candidates])
            w = torch.zeros_like(start.w)
            w[candidates] = few
        r = sub.y - combine_rows(ws.rows, torch.nonzero(w).squeeze(1), w)
        q = (ws.rows @ r) / n
        late = ~inside & (q.abs() > alpha * (1 + 1e-9))
        if not reached or not bool(late.any()):
            return Iterate(w, r, q, gap_of(r, q, w, sub.y, alpha, n))


def _descend(sub: Subproblem, candidates: Tensor, w: Tensor) -> tuple[Tensor, bool]:
    """Solution (c,) of the lasso on the candidates alone, in their inner products, and whether it was reached."""
    gram = sub.cache.matrix(sub.ws.columns, sub.ws.rows, candidates)
    b = sub.ws.b[candidates]
    most = _STEPS * min(len(candidates), sub.n) + 100
    solved, reached = descend(gram.cpu().numpy(), b.cpu().numpy(), sub.alpha, w.cpu().numpy(), most)
    return torch.from_numpy(solved).to(w.device), reached
