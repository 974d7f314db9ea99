"""Newton's method on the factors (U, V) of w = u*v, restricted to a working set of columns.

For given correlations, a coordinate's block of the Hessian in (u, v) is [[alpha, -c], [-c, alpha]], c =
x_j^T r / n + center / step: positive definite if |c| < alpha, and then u = v = 0 is its minimum; otherwise
(0, 0) is a saddle that is left along its negative curvature, with the sign of c. Eliminating the blocks
leaves one linear system in the products of the coordinates that left: k x k (Gram matrix), or n x n (its
dual) when k is near n. The damping of the blocks is a proximal term |w - center|^2 / (2 step) whose step
grows threefold each time, as in the augmented Lagrangian of Li, Sun & Toh (2018), "A highly efficient
semismooth Newton augmented Lagrangian method for solving Lasso problems"; without it, exchanging all wrong
coordinates at once cycles when k is near n.

While few columns are in play `exchange` needs no damping, and none of this runs.

Measured when the damping was chosen (n = 1000, dense truth, alpha = 0.1 and 0.01 of the largest; systems
factorised to a relative gap of 1e-14): p = 1e4: 19 and 58; p = 1e5: 28 and 81; four to six passes over X.
Undamped exchange needed 36 systems on a path of ratio 0.7 for (1e4, 0.1) and did not converge otherwise;
plain Newton on balanced factors kept wrong signs (gap 0.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from spred_bench.lasso.second_order.exchange import exchange, settle
from spred_bench.lasso.second_order.gram_cache import GramCache, solve_positive
from spred_bench.lasso.second_order.landing import land
from spred_bench.lasso.second_order.subproblem import (
    Counts,
    Iterate,
    Subproblem,
    WorkingSet,
    combine_rows,
    gap_of,
    shrink,
)

SMALL_SYSTEM = 500  # below this many columns a factorisation is cheaper than conjugate gradients
DIRECT_ABOVE = 10.0  # prox steps longer than this many inverse curvatures make conjugate gradients slow
SIGMA_GROWTH = 3.0  # each proximal step is this much longer than the one before
SIGMA_MOST = 1e8  # longer ones lose their systems to rounding where columns depend on one another
PATIENT = 100.0  # steps longer than this that do not lower the gap are failures,
FAILURES = 5  # and after this many in a row the damped steps are given up
INNER_FLOOR = 0.1  # a proximal step need not be solved to better than this fraction of the gap


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
    sub = Subproblem(ws, y, alpha, cache, counts, n, float(y.norm()))
    exchanged = exchange(sub, start)
    if exchanged is not None:
        if report is not None:
            report(exchanged.w)
        return exchanged, sigma
    w, r, q, target = start.w, start.r, start.q, None
    best, failures = replace(start, gap=gap_of(r, q, w, y, alpha, n)), 0
    for _ in range(max_outer):
        before = w
        w, r, q, mismatch = _proximal_newton(sub, w, r, q, sigma, target)
        error = float(mismatch.norm()) / sub.size
        exact = error < 1e-11
        here = Iterate(w, r - mismatch, q if exact else q - (ws.rows @ mismatch) / n)
        here.gap = gap_of(here.r, here.q, w, y, alpha, n)
        failures = 0 if here.gap < best.gap else failures + (sigma > PATIENT)
        best = here if here.gap < best.gap else best
        target = max(0.1 * error, INNER_FLOOR * here.gap)
        if report is not None:
            report(w)
        if here.gap == float("inf") or failures >= FAILURES:
            break
        k, changed = int((w != 0).sum()), int(((before != 0) != (w != 0)).sum())
        if 0 < k < n and (k <= SMALL_SYSTEM or changed <= 0.15 * k):
            landed = land(sub, w, tol)
            if landed is not None and landed.gap <= max(tol, best.gap):
                best = landed
                if report is not None:
                    report(best.w)
                break
        if best.gap <= tol:
            break
        sigma = min(sigma * SIGMA_GROWTH, SIGMA_MOST)
    if best.gap > tol:  # the damped steps failed: rank-deficient columns, or an accuracy that rounding forbids
        settled = settle(sub, best)
        best = settled if settled.gap < best.gap else best
        if report is not None:
            report(best.w)
    return best, sigma


def _proximal_newton(sub: Subproblem, center: Tensor, r: Tensor, q: Tensor, sigma: float, target, max_steps=25):
    """Newton steps on |y-Xw|^2/(2n) + alpha |w|_1 + sum (w-center)^2/(2 step); returns w, r, q, r - (y - Xw).

    The state is the residual r: given r, each coordinate's (u, v) block is minimised in closed form
    (`shrink`), and the blocks that leave the saddle at (0, 0) are the active columns of the Newton system.
    Stops when the mismatch of r and w is at most `target` |y|; without a target, at a tenth of the first.
    """
    step = sigma / sub.ws.curvature
    threshold = step * sub.alpha
    for it in range(max_steps + 1):
        z = center + step * q
        w = shrink(z, threshold)
        active = torch.nonzero(w).squeeze(1)
        mismatch = r - sub.y + combine_rows(sub.ws.rows, active, w)
        error = float(mismatch.norm()) / sub.size
        target = 0.1 * error if target is None else target
        if (it and error <= target) or it == max_steps:
            return w, r, q, mismatch
        d = _newton_direction(sub, active, center, z, mismatch, r, step, sigma)
        dq = (sub.ws.rows @ d) / sub.n
        t = _line_search(d, dq, r, z, sub.y, step, threshold, sub.n, sub.counts)
        r = r + t * d
        q = q + t * dq


def _newton_direction(sub: Subproblem, active, center, z, mismatch, r, step, sigma):
    """Change of the residual (n,) by one Newton step: k x k in the products, or its n x n dual, or CG."""
    n, k, ws = sub.n, len(active), sub.ws
    if k == 0:
        return -mismatch
    sub.counts.systems += 1
    if sigma <= DIRECT_ABOVE and k > SMALL_SYSTEM:
        rows = torch.index_select(ws.rows, 0, active, out=sub.cache.buffers.take("wide", k, n))
        return _conjugate_gradients(rows, step[active] / n, -mismatch, sub.counts)
    if k <= 0.95 * n:
        sub.counts.cubes += (k / 1000) ** 3
        system = sub.cache.matrix(ws.columns, ws.rows, active)
        system.diagonal().add_(1 / step[active])
        target = center[active] / step[active] + ws.b[active] - sub.alpha * torch.sign(z[active])
        solved = solve_positive(system, target, sub.cache.buffers)
        if solved is None:
            return -mismatch
        w = torch.zeros_like(z)
        w[active] = solved
        return sub.y - combine_rows(ws.rows, active, w) - r
    sub.counts.cubes += (n / 1000) ** 3
    system = sub.outer.matrix(active)  # scaled by 1 / (n curvature), that is by step / (n sigma)
    system.diagonal().add_(1 / sigma)
    solved = solve_positive(system, mismatch, sub.cache.buffers)
    return -mismatch if solved is None else -solved / sigma


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
    """Step length on the convex, piecewise quadratic dual objective: 1 if its slope there is small, else a
    zero of it.
    """
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
