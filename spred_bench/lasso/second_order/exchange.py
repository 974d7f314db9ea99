"""The exact minimum over few columns, in inner products only: Newton's method on the factors where it needs no damping.

At a stationary point of (U, V) a coordinate either sits at (0, 0), where its block is no saddle (|q_j| <= alpha), or
has left it with the sign of its correlation. Columns that may have left are gathered from the correlations, the problem
in their inner products is solved by `path_following`, and the columns this brings into play are added until none is.
With more columns in play than a fraction of n, or than NumPy's small matrices are good for, the damped steps of
`product_newton` take over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spred_bench.lasso.second_order.path_following import follow
from spred_bench.lasso.second_order.subproblem import Iterate, Subproblem, combine_rows, gap_of

CROWD = 0.3  # as a fraction of n: with more columns than that in play, damped steps are faster
FEW_COLUMNS = 128  # whatever n is, with at most this many in play the path is followed
_STEPS = 20  # times the columns in play: after that many turns the path is given up


def exchange(sub: Subproblem, start: Iterate) -> Iterate | None:
    """Exact solution on the working set from `start`, or None where too many columns are in play."""
    ws, n, alpha = sub.ws, sub.n, sub.alpha
    support = start.w != 0
    entering = start.q.abs() > alpha
    if min(max(int(entering.sum()), int(support.sum())), n) > max(CROWD * n, FEW_COLUMNS):
        return None
    candidates = torch.nonzero(support | entering).squeeze(1)
    w = start.w
    while True:
        few = _settle(sub, candidates, w[candidates])
        if few is None:
            return None
        w = torch.zeros_like(start.w)
        w[candidates] = few
        r = sub.y - combine_rows(ws.rows, torch.nonzero(w).squeeze(1), w)
        q = (ws.rows @ r) / n
        left_out = q.abs() > alpha * (1 + 1e-9)
        left_out[candidates] = False
        late = torch.nonzero(left_out).squeeze(1)
        if not len(late):
            return Iterate(w, r, q, gap_of(r, q, w, sub.y, alpha, n))
        candidates = torch.cat([candidates, late])


def _settle(sub: Subproblem, candidates: Tensor, w: Tensor) -> Tensor | None:
    """Solution (c,) of the lasso on the candidates alone, in their inner products; None if that takes too long."""
    gram = sub.cache.matrix(sub.ws.columns, sub.ws.rows, candidates)
    b = sub.ws.b[candidates]
    most = _STEPS * min(len(candidates), sub.n) + 100
    solved, reached = follow(gram.cpu().numpy(), b.cpu().numpy(), sub.alpha, w.cpu().numpy(), most)
    return torch.from_numpy(solved).to(w.device) if reached else None
