"""Newton's method on the factors (U, V) of w = u*v, restricted to a working set of columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spred_bench.gram_cache import GramCache, OuterCache

SMALL_SYSTEM = 200  # below this many columns a factorisation is cheaper than conjugate gradients
DIRECT_ABOVE = 3.0  # prox steps longer than this many inverse curvatures make conjugate gradients slow
SIGMA_GROWTH = 3.0  # each proximal step is this much longer than the one before
INNER_FLOOR = 0.01  # a proximal step need not be solved to better than this fraction of the gap


@dataclass
class WorkingSet:
    """Columns (c,) of X, as the rows (c, n) of a matrix, with b = X^T y / n and curvature |x_j|^2 / n of each."""

    columns: Tensor
    rows: Tensor
    b: Tensor
    curvature: Tensor


@dataclass
class Iterate:
    """w (c,) on the working set, residual r (n,), correlations q = X^T r / n (c,) and the relative gap there."""

    w: Tensor
    r: Tensor
    q: Tensor
    gap: float = float("inf")


@dataclass
class Counts:
    """Work done: systems factorised, their size cubed in units of 1000^3, CG steps, line searches, passes over X."""

    systems: int = 0
    cubes: float = 0.0
    cg_steps: int = 0
    searches: int = 0
    landings: int = 0
    passes: int = 0


def shrink(z: Tensor, threshold: Tensor) -> Tensor:
    """Product u*v at the minimum of a coordinate's block: zero, unless the block at (0, 0) is a saddle (|z| > t)."""
    return z - torch.clamp(z, -threshold, threshold)


def relative_gap(r: Tensor, q: Tensor, w: Tensor, y: Tensor, alpha: float, n: int) -> float:
    """Duality gap of w, over |y|^2/(2n), with the scaled residual as dual point; q must hold every |X^T r|/n that matters."""
    yy, top = float(y @ y), float(q.abs().max())
    scale = min(1.0, alpha / top) if top > 0 else 1.0
    ry, rr = float(r @ y), float(r @ r)
    # |y|^2 - |y - s r|^2 = 2 s r.y - s^2 |r|^2, without the cancellation of the two squares
    return (rr - 2 * scale * ry + scale * scale * rr + 2 * n * alpha * float(w.abs().sum())) / yy


@dataclass
class Subproblem:
    """One penalty on one working set: what every step below needs, with n = len(y) and s = |y|."""

    ws: WorkingSet
    y: Tensor
    alpha: float
    cache: GramCache
    outer: OuterCache
    counts: Counts
    n: int
    size: float


def minimize_on(
    ws: WorkingSet,
    start: Iterate,
    y: Tensor,
    alpha: float,
    cache: GramCache,
    counts: Counts,
    *,
    sigma: float,
    tol: float,
    report: Callable[[Tensor], None] | None = None,
    max_outer: int = 40,
) -> tuple[Iterate, float]:
    """Lasso on the working set to relative gap `tol`, exact once the support settles; also the last sigma."""
    n = len(y)
    sub = Subproblem(ws, y, alpha, cache, OuterCache(ws.rows, 1 / (n * ws.curvature)), counts, n, float(y.norm()))
    here, r, q, target = start, start.r, start.q, None
    w = start.w
    for _ in range(max_outer):
        before = w
        w, r, q, mismatch = _proximal_newton(sub, w, r, q, sigma, target)
        error = float(mismatch.norm()) / sub.size
        exact = error < 1e-11
        here = Iterate(w, r - mismatch, q if exact else q - (ws.rows @ mismatch) / n)
        here.gap = relative_gap(here.r, here.q, w, y, alpha, n)
        target = max(0.1 * error, INNER_FLOOR * here.gap)
        if report is not None:
            report(w)
        if here.gap <= tol:
            break
        k, changed = int((w != 0).sum()), int(((before != 0) != (w != 0)).sum())
        if 0 < k < n and (k <= SMALL_SYSTEM or changed <= 0.15 * k):
            landed = _land(sub, w)
            if landed is not None:
                here = landed
                if report is not None:
                    report(here.w)
                break
        sigma *= SIGMA_GROWTH
    return here, sigma


def _proximal_newton(sub: Subproblem, center: Tensor, r: Tensor, q: Tensor, sigma: float, target, max_steps=25):
    """Newton steps on |y-Xw|^2/(2n) + alpha |w|_1 + sum (w-center)^2/(2 step); returns w, r, q, r - (y - Xw).

    The state is the residual r: given r, each coordinate's (u, v) block is minimised in closed form (`shrink`), and
    the blocks that leave the saddle at (0, 0) are the active columns of the Newton system. Stops when the mismatch
    of r and w is at most `target` |y|; without a target, at a tenth of the first.
    """
    step = sigma / sub.ws.curvature
    threshold = step * sub.alpha
    for it in range(max_steps + 1):
        z = center + step * q
        w = shrink(z, threshold)
        active = torch.nonzero(w).squeeze(1)
        mismatch = r - sub.y + _combine_rows(sub.ws.rows, active, w)
        error = float(mismatch.norm()) / sub.size
        target = 0.1 * error if target is None else target
        if (it and error <= target) or it == max_steps:
            return w, r, q, mismatch
        d = _newton_direction(sub, active, center, z, mismatch, r, step, sigma)
        dq = (sub.ws.rows @ d) / sub.n
        t = _line_search(d, dq, r, z, sub.y, step, threshold, sub.n, sub.counts)
        r = r + t * d
        q = q + t * dq


def _combine_rows(rows: Tensor, active: Tensor, w: Tensor) -> Tensor:
    """X w (n,) for w (c,) that vanishes outside `active`."""
    if 4 * len(active) <= len(w):
        return rows.index_select(0, active).T @ w[active]
    return rows.T @ w


def _newton_direction(sub: Subproblem, active, center, z, mismatch, r, step, sigma):
    """Change of the residual (n,) by one Newton step: k x k in the products, or its n x n dual, or CG."""
    n, k, ws = sub.n, len(active), sub.ws
    if k == 0:
        return -mismatch
    sub.counts.systems += 1
    if sigma <= DIRECT_ABOVE and k > SMALL_SYSTEM:
        return _conjugate_gradients(ws.rows[active], step[active] / n, -mismatch, sub.counts)
    if k <= 0.95 * n:
        sub.counts.cubes += (k / 1000) ** 3
        system = sub.cache.matrix(ws.columns, ws.rows, active)
        system.diagonal().add_(1 / step[active])
        target = center[active] / step[active] + ws.b[active] - sub.alpha * torch.sign(z[active])
        factor, _ = torch.linalg.cholesky_ex(system)
        w = torch.zeros_like(z)
        w[active] = torch.cholesky_solve(target[:, None], factor)[:, 0]
        return sub.y - _combine_rows(ws.rows, active, w) - r
    sub.counts.cubes += (n / 1000) ** 3
    system = sub.outer.matrix(active)  # scaled by 1 / (n curvature), that is by step / (n sigma)
    system.diagonal().add_(1 / sigma)
    factor, _ = torch.linalg.cholesky_ex(system)
    return -torch.cholesky_solve(mismatch[:, None], factor)[:, 0] / sigma


def _conjugate_gradients(rows, scale, rhs, counts, tol=0.05, max_steps=50):
    """Solve (I + rows^T diag(scale) rows) d = rhs to a relative residual `tol`."""
    d, res = torch.zeros_like(rhs), rhs
    direction, rr = rhs, float(rhs @ rhs)
    stop = tol * tol * rr
    for _ in range(max_steps):
        if rr <= stop:
            break
        image = direction + rows.T @ (scale * (rows @ direction))
        a = rr / float(direction @ image)
        d = d + a * direction
        res = res - a * image
        rr, old = float(res @ res), rr
        direction = res + (rr / old) * direction
        counts.cg_steps += 1
    return d


def _line_search(d, dq, r, z, y, step, threshold, n, counts):
    """Step length on the convex, piecewise quadratic dual objective: 1 if its slope there is small, else a zero of it."""
    base, dd, dz = float(d @ (r - y)) / n, float(d @ d) / n, step * dq

    def slope(t):
        return base + t * dd + float(dq @ shrink(z + t * dz, threshold))

    low, high, at_low, at_high = 0.0, 1.0, slope(0.0), slope(1.0)
    small = 0.1 * abs(at_low)
    if at_high <= small or at_low >= 0:
        return 1.0
    counts.searches += 1
    for _ in range(10):
        t = low - at_low * (high - low) / (at_high - at_low)
        t = min(max(t, low + 0.1 * (high - low)), high - 0.1 * (high - low))
        value = slope(t)
        if abs(value) <= small:
            return t
        if value > 0:
            high, at_high = t, value
        else:
            low, at_low = t, value
    return low if low > 0 else high


def _land(sub: Subproblem, w: Tensor, max_steps: int = 12) -> Iterate | None:
    """Exact solution from the support and signs of w: exchange wrong signs and violators while they become fewer."""
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
        factor, info = torch.linalg.cholesky_ex(sub.cache.matrix(ws.columns, ws.rows, active))
        if int(info) > 0:
            return None
        signs = sign[active]
        solved = torch.cholesky_solve((ws.b[active] - alpha * signs)[:, None], factor)[:, 0]
        full = torch.zeros_like(w)
        full[active] = solved
        r = sub.y - _combine_rows(ws.rows, active, full)
        q = (ws.rows @ r) / n
        wrong = active[solved * signs < 0]
        entering = torch.nonzero(~inside & (q.abs() > alpha * (1 + 1e-9))).squeeze(1)
        infeasible = len(wrong) + len(entering)
        if infeasible == 0:
            return Iterate(full, r, q, relative_gap(r, q, full, sub.y, alpha, n))
        failures += fewest is not None and infeasible >= fewest
        fewest = infeasible if fewest is None else min(fewest, infeasible)
        if infeasible > 0.15 * k + 5 or failures >= 2:
            return None
        inside, sign = inside.clone(), sign.clone()
        inside[wrong] = False
        inside[entering] = True
        sign[entering] = torch.sign(q[entering])
    return None
