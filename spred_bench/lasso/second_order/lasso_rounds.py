"""Rounds of the lasso solver: choose columns, minimise over their factors, certify with one pass over X."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spred_bench.lasso.second_order.design_matrix import Design, all_rows, combine, correlate, gather
from spred_bench.lasso.second_order.exchange import CROWD
from spred_bench.lasso.second_order.gram_cache import GramCache, solve_positive
from spred_bench.lasso.second_order.product_newton import minimize_on
from spred_bench.lasso.second_order.subproblem import Counts, Iterate, WorkingSet, gap_of

LEVEL_RATIO = 0.3  # the penalty falls by this factor per round
CROWDING = 0.15  # it falls further until this fraction of n columns exceed it
FEW = 0.05  # with a support of at most this fraction of n, the next round is at the final penalty
EARLY_GAP = 0.1  # a round stops at this fraction of the gap it started from
FIRST_SIGMA = 3.0  # first proximal step, in units of 1 / (|x_j|^2 / n)
_LAST_LEVEL = 1e-9  # of the largest useful penalty: below it the next one is the one asked for
_LEAST_FALL = 1e-9  # of the objective in a round, relative: less is none
SMALLEST_SET = 100  # working sets are never smaller than this many columns (if X has them)


@dataclass
class Target:
    """One column of Y during the solve: y (n,), b = X^T y / n (p,), w (p,), residual r (n,), q = X^T r / n (p,)."""

    y: Tensor
    b: Tensor
    w: Tensor
    r: Tensor
    q: Tensor
    level: float
    sigma: float | None = None
    gap: float = float("inf")
    best: tuple[float, Tensor, Tensor, Tensor] | None = None
    value: float = float("inf")
    stalled: int = 0
    planned: float | None = None


@dataclass
class Workspace:
    """What all targets and penalties on one X share: Gram entries, the rows of a small X, work counts."""

    design: Design
    cache: GramCache
    counts: Counts = field(default_factory=Counts)
    rows: Tensor | None = None


def new_workspace(design: Design) -> Workspace:
    """Empty caches for a design; the Gram matrix is never larger than (1.5n + 100)^2."""
    n, p = design.shape
    return Workspace(design, GramCache(n, p, min(p, 3 * n // 2 + 100), design.device))


def start_targets(space: Workspace, Y: Tensor, starts: Tensor | None, alpha: float) -> list[Target]:
    """Targets at w = 0, or at the given coefficients (m, p) where these are sparse enough to be of use."""
    n, p = space.design.shape
    B = correlate(space.design, Y[:, 0])[:, None] if Y.shape[1] == 1 else correlate(space.design, Y)
    B = B / n
    space.counts.passes += 1
    refuse_non_finite(B)
    targets = []
    for j in range(Y.shape[1]):
        y, b = Y[:, j].contiguous(), B[:, j].contiguous()
        target = Target(y, b, torch.zeros_like(b), y, b, level=float(b.abs().max()))
        if starts is not None and 0 < int((starts[j] != 0).sum()) <= min(p, 2 * n):
            target.w = starts[j].clone()
            target.r = y - combine(space.design, target.w)
            target.q = correlate(space.design, target.r) / n
            target.level = alpha
        targets.append(target)
    return targets


def advance(space: Workspace, targets: list[Target], alpha: float, tol: float, max_iter: int, callback=None) -> int:
    """Rounds until every target's relative gap at alpha is at most tol or stops falling; their number."""
    for target in targets:
        target.best, target.value, target.stalled = None, float("inf"), 0
    for rounds in range(max_iter + 1):
        for target in targets:
            _certify(target, alpha)
        pending = [t for t in targets if (t.gap > tol or t.level > alpha) and t.stalled < 4]
        if not pending or rounds == max_iter:
            break
        partial = [_round(space, target, alpha, tol, callback) for target in pending]
        _correlate_all(space, [t for t, columns in zip(pending, partial, strict=True) if columns is not None])
        for target, fresh in zip(pending, partial, strict=True):
            if fresh is not None and len(fresh[0]):
                columns, q = fresh
                target.q[columns] = q
    for target in targets:
        target.gap, target.w, target.r, target.q = target.best
    return rounds


def _certify(target: Target, alpha: float) -> None:
    n = len(target.y)
    target.gap = gap_of(target.r, target.q, target.w, target.y, alpha, n)
    falls = target.best is None or target.gap < target.best[0]
    if falls:
        target.best = target.gap, target.w, target.r, target.q
    if target.level <= alpha:  # an exact minimum on more columns lowers the objective, but not always the gap
        value = _objective(target.r, target.w, alpha)
        falls = falls or value < target.value * (1 - _LEAST_FALL)
        target.stalled = 0 if falls else target.stalled + 1
        target.value = min(target.value, value)


def _round(space: Workspace, target: Target, alpha: float, tol: float, callback):
    """Lower the penalty, minimise on a new working set, and look ahead to the next penalty.

    Returns (columns, q on them) where a pass over X is needed, empty ones if nothing on the working set is known
    better; None where the working set was all of X.
    """
    p = space.design.shape[1]
    again = target.level <= alpha and target.sigma is not None
    sigma = max(FIRST_SIGMA, target.sigma / 9) if again else FIRST_SIGMA
    target.level = alpha if target.gap <= tol else _next_level(space, target, alpha)
    ws = _choose(space, target)
    final, whole = target.level <= alpha, len(ws.columns) == p
    goal = EARLY_GAP if not final else tol if whole else max(0.3 * tol, EARLY_GAP * min(target.gap, 1.0))

    def report(w: Tensor) -> None:
        full = torch.zeros_like(target.w)
        full[ws.columns] = w
        callback(full.cpu().numpy())

    start = Iterate(target.w[ws.columns], target.r, target.q[ws.columns])
    here, target.sigma = minimize_on(
        ws,
        start,
        target.y,
        target.level,
        space.cache,
        space.counts,
        sigma=sigma,
        tol=goal,
        report=None if callback is None else report,
    )
    target.w = torch.zeros_like(target.w)
    target.w[ws.columns] = here.w
    target.r = here.r
    if not final:
        few = int((here.w != 0).sum()) <= FEW * len(target.y)
        target.planned = alpha if few else max(alpha, LEVEL_RATIO * target.level)
        if _extrapolate(space, target, ws, here):
            return (), ()
    if whole:
        target.q = here.q
        return None
    return ws.columns, here.q


def _extrapolate(space: Workspace, target: Target, ws: WorkingSet, here) -> bool:
    """Move w and r along the path, which is linear in the penalty while signs last, to the level planned next.

    The pass over X then tells which columns will be in play there, not which were here: fewer, and the right ones.
    """
    active = torch.nonzero(here.w).squeeze(1)
    if not 0 < len(active) < len(target.y):
        return False
    system = space.cache.matrix(ws.columns, ws.rows, active)
    sign = torch.sign(here.w[active])
    slope = solve_positive(system, sign, space.cache.buffers)
    if slope is None:
        return False
    moved = here.w[active] + (target.level - target.planned) * slope
    moved = torch.where(moved * sign > 0, moved, 0.0)
    residual = target.y - ws.rows.index_select(0, active).T @ moved
    if not _objective(residual, moved, target.planned) <= _objective(here.r, here.w, target.planned):
        return False  # columns that nearly depend on one another: the slope is not to be trusted
    target.w[ws.columns[active]], target.r = moved, residual
    return True


def _objective(r: Tensor, w: Tensor, alpha: float) -> float:
    return float(r @ r) / (2 * len(r)) + alpha * float(w.abs().sum())


def _next_level(space: Workspace, target: Target, alpha: float) -> float:
    """The next penalty: the one looked ahead to; else a fixed ratio down, further while few columns exceed it."""
    n, p = space.design.shape
    if target.level <= max(alpha, _LAST_LEVEL * float(target.b.abs().max())):
        return alpha
    planned, target.planned = target.planned, None
    if planned is not None and int((target.q.abs() > planned).sum()) <= CROWD * n:
        return planned
    crowd = int(CROWDING * n) - int((target.w != 0).sum())
    if crowd >= p:
        return alpha
    reach = target.level
    if crowd > 0:
        reach = float(torch.topk(target.q.abs(), crowd, sorted=False).values.min())
    if planned is None:
        return max(alpha, min(LEVEL_RATIO * target.level, reach))
    # The look ahead went too far for exchange: go where it works, or all the way where that is no progress.
    return max(planned, reach) if reach < 0.7 * target.level else planned


def _choose(space: Workspace, target: Target) -> WorkingSet:
    """The support and the columns of largest correlation: about twice those near the penalty, at most 3n."""
    n, p = space.design.shape
    score = target.q.abs()
    support = torch.nonzero(target.w).squeeze(1)
    near = 2 * int((score > 0.7 * target.level).sum()) + 2 * len(support)
    size = max(min(3 * n, near), SMALLEST_SET, len(support) + SMALLEST_SET // 2)
    if 3 * size >= 2 * p and p <= 4 * n:
        if space.rows is None:
            space.rows = all_rows(space.design)
        return WorkingSet(torch.arange(p, device=score.device), space.rows, target.b)
    score[support] = float("inf")
    columns = torch.topk(score, min(size, p), sorted=False).indices.sort().values
    rows = gather(space.design, columns, space.cache.buffers.take("working", len(columns), n))
    return WorkingSet(columns, rows, target.b[columns])


def _correlate_all(space: Workspace, targets: list[Target]) -> None:
    if not targets:
        return
    space.counts.passes += 1
    n = space.design.shape[0]
    if len(targets) == 1:
        targets[0].q = correlate(space.design, targets[0].r) / n
        return
    Q = (correlate(space.design, torch.stack([t.r for t in targets], dim=1)) / n).T.contiguous()
    for target, q in zip(targets, Q, strict=True):
        target.q = q


def refuse_non_finite(product: Tensor) -> None:
    """ValueError unless every entry of a product with X, of any shape, is finite."""
    if not bool(torch.isfinite(product).all()):
        raise ValueError("X contains NaN or infinity, or values whose products overflow")
