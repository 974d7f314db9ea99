"""The last digits of a point of `feature_path`: Newton's method on the features that live, where all is smooth."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from spred_bench.lasso.second_order.softmax import Softmax

_STEPS = 50
_LANDED = 1e-3  # the end, as a fraction of the residual asked for
# A direction of curvature below this fraction of the largest is one in which columns depend on each other.
_DEPENDENT = 1e-13


@dataclass(frozen=True)
class Smooth:
    """CE(A V + b) + 2 kappa sum_j |V_j| for A (n, k) float64, with entries of size one; b is 0 without an intercept."""

    loss: Softmax
    A: np.ndarray
    kappa: float
    has_intercept: bool

    def value(self, V, b) -> float:
        """The objective at V (k, C-1) and b (C-1,)."""
        return self.loss.value(self.A @ V + b)[0] + 2 * self.kappa * np.linalg.norm(V, axis=1).sum()

    def newton_step(self, alive, V, b) -> tuple[np.ndarray, float, float]:
        """(step of the living V_j and, in a last row, of b; its slope; the largest entry of the gradient)."""
        K, n, inside, v = self.loss.width, self.loss.n, self.A[:, alive], V[alive]
        norms = np.linalg.norm(v, axis=1)
        e = v / norms[:, None]
        _, R, P = self.loss.value(inside @ v + b)
        right = inside.T @ R + 2 * self.kappa * e
        error = np.abs(right).max(initial=0.0)
        if self.has_intercept:
            error = max(error, np.abs(R.sum(axis=0)).max())
            inside, right = np.hstack([inside, np.ones((n, 1))]), np.vstack([right, R.sum(axis=0)])
        H = self.loss.hessian(inside, P)
        bend = (np.eye(K) - e[:, :, None] * e[:, None, :]) * (2 * self.kappa / norms)[:, None, None]
        for i in range(len(v)):
            H[i * K : (i + 1) * K, i * K : (i + 1) * K] += bend[i]
        step = solve_semidefinite(H, right.ravel())
        return step.reshape(-1, K), float(step @ right.ravel()), float(error)


def land(problem: Smooth, V, b, alive, tol: float):
    """(V (k, C-1), b (C-1,), alive (k,)) with the smallest gradient on the way; a V_j that would turn round is dropped.

    tol: the residual that the caller asks for, as a fraction of 2 kappa. Whether it is reached, and whether what was
    dropped may stay out, is for the caller to certify.
    """
    V, alive = np.where(alive[:, None], V, 0.0), alive.copy()
    best, value = (np.inf, V, b, alive), problem.value(V, b)
    for _ in range(_STEPS):
        step, slope, error = problem.newton_step(alive, V, b)
        if error < best[0]:
            best = error, V.copy(), b, alive.copy()
        if error <= _LANDED * tol * 2 * problem.kappa:
            break
        of_V = step[: int(alive.sum())]
        turned = np.einsum("jk,jk->j", V[alive] - of_V, V[alive]) <= 0
        if turned.any():
            alive[np.flatnonzero(alive)[turned]] = False
            V = np.where(alive[:, None], V, 0.0)
            value = problem.value(V, b)
            continue
        length = 2.0
        while True:
            length /= 2
            trial, moved = V.copy(), b - length * step[-1] if problem.has_intercept else b
            trial[alive] -= length * of_V
            new = problem.value(trial, moved)
            # Below the digits of the objective no decrease can be seen: the step is then taken as it is.
            if new <= value - 1e-4 * length * slope or slope * length <= 1e-12 * abs(value):
                break
        V, b, value = trial, moved, new
    return best[1:]


def solve_semidefinite(H: np.ndarray, right: np.ndarray) -> np.ndarray:
    """H^-1 right; of smallest size where columns depend on each other, so that H has no inverse."""
    if not len(right):
        return right
    scale = np.sqrt(np.maximum(H.diagonal(), np.finfo(float).tiny))
    H, right = H / np.outer(scale, scale), right / scale
    try:
        factor = cho_factor(H, check_finite=False)
        if np.abs(factor[0].diagonal()).min(initial=1.0) > _DEPENDENT**0.5:
            return cho_solve(factor, right, check_finite=False) / scale
    except LinAlgError:
        pass
    values, vectors = eigh(H, check_finite=False)
    kept = values > _DEPENDENT * values.max(initial=0.0)
    return vectors[:, kept] @ ((vectors[:, kept].T @ right) / values[kept]) / scale
