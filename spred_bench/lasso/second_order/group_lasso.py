"""Group lasso by spred: one scalar per group (paper, Algorithm 2 and Theorem 4), and Newton's method on these scalars.

    min_W  1/(2n) |Y - X W|^2 + alpha sum_g c_g |W_g|,         W_g = u_g V_g                               (4)

has the minima of the smooth problem with alpha c_g / 2 (u_g^2 + |V_g|^2). For given u the best V solves a ridge problem
(variable projection, Poon & Peyre 2021), so what is left is a smooth function of one number per group,

    f(u) = min_V 1/(2n) |Y - X D V|^2 + sum_g alpha c_g / 2 (u_g^2 + |V_g|^2),      D = diag(u_g),

whose Hessian is known in closed form. f is even in each u_g, so that a dying group's u_g falls to zero faster than
quadratically. Only a working set of groups, grown by violation of the optimality conditions, is ever solved for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.design_matrix import correlate, gather
from spred_bench.lasso.second_order.least_squares import minimum_norm

_FIRST_GROUPS = 10
_NEWTON_STEPS = 100
_UNSEEN_STEPS = 8  # whose decrease rounding hides: Newton's method converges in fewer
_PROGRESS, _PATIENCE = 0.7, 4  # that many working sets in a row that lower the gap less than to that fraction end it
# Newton stops when its step promises less than this fraction of the objective.
_LAST_DECREASE = 1e-24


@dataclass(frozen=True)
class GroupResult:
    """coef (p, m), relative duality gap, number of working sets tried."""

    coef: np.ndarray
    dual_gap: float
    n_iter: int


def solve_groups(design, Y, alpha: float, groups, weights, *, tol: float, max_iter: int, start=None) -> GroupResult:
    """Solve (4). design: `design_matrix.Design` of X (n, p); Y: (n, m) tensor; groups: index arrays; weights c: (G,).

    The relative gap is the duality gap over |Y|^2 / (2n); the caller is to warn if it is above `tol`.
    """
    n, p = design.shape
    if alpha == 0:
        coef, left = minimum_norm(design, Y)
        return GroupResult(coef.T.numpy(), float(left.max()), 1)
    Y = Y.cpu().numpy()
    null = float(np.sum(Y * Y)) / (2 * n)
    W = np.zeros((p, Y.shape[1])) if start is None else np.array(start, dtype=np.float64)
    best = GroupResult(np.zeros_like(W), float("inf"), 0)
    if null == 0:
        return GroupResult(np.zeros_like(W), 0.0, 1)
    size, stalled = _FIRST_GROUPS, 0
    for iteration in range(max_iter + 1):
        residual = Y - _combine(design, W)
        q = correlate(design, torch.from_numpy(residual)).numpy().reshape(p, -1) / n
        steepness = np.array([np.linalg.norm(q[g]) for g in groups]) / weights
        penalty = alpha * sum(c * np.linalg.norm(W[g]) for g, c in zip(groups, weights, strict=True))
        rr = np.vdot(residual, residual) / n
        gap = float(relative_gap(rr, np.vdot(W, q), penalty, steepness.max(), alpha, 2 * null))
        stalled = 0 if gap < _PROGRESS * best.dual_gap else stalled + 1
        if gap < best.dual_gap:
            best = GroupResult(W.copy(), gap, iteration)
        if gap <= tol or iteration == max_iter or stalled >= _PATIENCE:
            break
        active = {i for i, g in enumerate(groups) if W[g].any()}
        size = min(len(groups), max(size, 2 * len(active)))
        working = sorted(active | set(np.argsort(-steepness)[:size].tolist()))
        try:
            W = _solve_on(design, Y, alpha, [groups[i] for i in working], weights[working], best.coef)
        except np.linalg.LinAlgError:  # a strength that rounding cannot tell from zero
            break
        size = min(len(groups), 2 * size)
    return GroupResult(best.coef, best.dual_gap, iteration)


def _combine(design, W: np.ndarray) -> np.ndarray:
    """X W (n, m) from the nonzero rows of W."""
    rows = np.flatnonzero(W.any(axis=1))
    if not len(rows):
        return np.zeros((design.shape[0], W.shape[1]))
    return gather(design, torch.from_numpy(rows)).numpy().T @ W[rows]


def _solve_on(design, Y, alpha: float, groups, weights, W: np.ndarray) -> np.ndarray:
    """Coefficients that are optimal among those supported on `groups`."""
    columns = np.concatenate(groups)
    owner = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
    A = gather(design, torch.from_numpy(columns)).numpy()
    problem = _Projected(A @ A.T / len(Y), A @ Y / len(Y), owner, alpha * weights)
    norms = np.sqrt(np.bincount(owner, (W[columns] ** 2).sum(axis=1), minlength=len(groups)))
    # A new group starts small but not at zero, where f is flat.
    floor = 0.1 * norms.max() if norms.any() else np.abs(problem.b).max() / max(np.diag(problem.G).max(), 1e-300)
    u = np.sqrt(np.maximum(norms, 0.01 * floor))
    W = np.zeros_like(W)
    W[columns] = problem.minimise(u)
    return W


class _Projected:
    """f(u) of the module's docstring on a working set, from G = X'X / n (k, k) and b = X'Y / n (k, m)."""

    def __init__(self, G, b, owner, strengths):
        self.G, self.b, self.owner, self.strengths = G, b, owner, strengths
        self.Lambda = strengths[owner]

    def value(self, u):
        """(f(u) less |Y|^2 / (2n), the factor of the ridge system, V)."""
        d = u[self.owner]
        factor = cho_factor(d[:, None] * self.G * d + np.diag(self.Lambda), check_finite=False)
        V = cho_solve(factor, d[:, None] * self.b, check_finite=False)
        return 0.5 * np.sum(self.strengths * u * u) - 0.5 * np.vdot(d[:, None] * self.b, V), factor, V

    def derivatives(self, u, factor, V):
        """Gradient (G,) and Hessian (G, G) of f: the projected problem's, with V's response eliminated."""
        d = u[self.owner]
        R = self.G @ (d[:, None] * V) - self.b
        gradient = self.strengths * u + np.bincount(self.owner, (V * R).sum(axis=1), minlength=len(u))
        hessian = np.diag(self.strengths).astype(float)
        member = self.owner[:, None] == np.arange(len(u))
        for t in range(V.shape[1]):
            # Column g of M: derivative of the ridge equations of target t by u_g.
            spread = V[:, t, None] * member
            image = self.G @ spread
            M = R[:, t, None] * member + d[:, None] * image
            hessian += spread.T @ image - M.T @ cho_solve(factor, M, check_finite=False)
        return gradient, hessian

    def minimise(self, u) -> np.ndarray:
        """Saddle-free Newton with backtracking; coefficients W = D V (k, m), dead groups exactly zero."""
        f, factor, V = self.value(u)
        unseen = 0
        for _ in range(_NEWTON_STEPS):
            gradient, hessian = self.derivatives(u, factor, V)
            values, vectors = np.linalg.eigh(hessian)
            # Where f curves down (a saddle near u = 0) the sign of the curvature is turned.
            curvature = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
            step = -vectors @ ((vectors.T @ gradient) / curvature)
            slope = float(gradient @ step)
            if -slope <= _LAST_DECREASE * abs(f):
                break
            length = 1.0
            # The duality gap is of first order in the gradient, so the last digits of f do not tell when to stop:
            # where a decrease can no longer be seen, Newton's step is taken as it is.
            visible = -slope > 1e-11 * abs(f)
            unseen += not visible
            if unseen > _UNSEEN_STEPS:
                break
            while (trial := self.value(u + length * step))[0] > f + 1e-4 * length * slope and visible:
                length /= 2
                if length < 1e-10:
                    break
            u, (f, factor, V) = u + length * step, trial
        W = u[self.owner][:, None] * V
        norms = np.sqrt(np.bincount(self.owner, (W**2).sum(axis=1), minlength=len(u)))
        pull = np.sqrt(np.bincount(self.owner, ((self.b - self.G @ W) ** 2).sum(axis=1), minlength=len(u)))
        dead = (norms <= 1e-6 * norms.max(initial=0.0)) & (pull < self.strengths)
        W[dead[self.owner]] = 0.0
        return W
