"""Variable projection for the lasso: eliminate one factor of w = u*v in closed form, minimise over the other
by L-BFGS.

Poon & Peyre, "Smooth bilevel programming for sparse regularization" (NeurIPS 2021): with weight decay
alpha/2 on both factors, the best u for a given v solves a ridge problem, so f(v) = min_u is smooth and any
quasi-Newton method applies.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from spred_bench.lasso.duality import relative_gap


def solve_by_projection(X, y, alpha: float, *, tol: float = 1e-6, max_iter: int = 2000, callback=None):
    """Minimise 1/(2n) |y - Xw|^2 + alpha |w|_1 for dense X (n, p), y (n,), alpha > 0; returns (w (p,),
    relative gap).

    Each evaluation solves one min(n, p) square system. callback(w) is called at each iterate. Warns if the
    relative duality gap stays above tol after max_iter evaluations.
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n, p = X.shape
    if not alpha > 0 or y.shape != (n,):
        raise ValueError(f"need alpha > 0 and y of shape ({n},), got alpha={alpha} and y {y.shape}")
    if not (np.isfinite(y).all() and np.isfinite(X.T @ y).all()):
        raise ValueError("X or y contains NaN or infinity")
    gram, b = (X.T @ X / n, X.T @ y / n) if p <= n else (None, None)
    best = {"w": np.zeros(p), "gap": np.inf}

    def projected(v):
        if p <= n:  # (diag(v) X^T X diag(v) / n + alpha) u = diag(v) X^T y / n
            system = v[:, None] * gram * v + alpha * np.eye(p)
            u = cho_solve(cho_factor(system), v * b)
            r = y - X @ (u * v)
        else:  # the same u through its dual: r = (I + X diag(v^2) X^T / (n alpha))^-1 y
            system = (X * v**2) @ X.T / (n * alpha) + np.eye(n)
            r = cho_solve(cho_factor(system), y)
            u = v * (X.T @ r) / (n * alpha)
        q = X.T @ r / n
        value = r @ r / (2 * n) + alpha / 2 * (u @ u + v @ v)
        w = u * v
        gap = relative_gap(r @ r / n, w @ q, alpha * np.abs(w).sum(), np.abs(q).max(), alpha, y @ y / n)
        if gap < best["gap"]:
            best.update(w=w, gap=gap)
        return value, alpha * v - u * q

    class Reached(Exception):
        pass

    def observe(_):
        if callback is not None:
            callback(best["w"])
        if best["gap"] <= tol:
            raise Reached

    options = {"maxiter": max_iter, "maxfun": max_iter, "ftol": 0, "gtol": 0, "maxcor": 20}
    start = np.sqrt(np.abs(X.T @ y) / n / np.maximum((X**2).sum(0) / n, 1e-300)) if y.any() else np.zeros(p)
    try:
        projected(start)
        if best["gap"] > tol:
            minimize(projected, start, jac=True, method="L-BFGS-B", callback=observe, options=options)
    except Reached:
        pass
    if not best["gap"] <= tol:
        message = f"variable projection stopped at a relative duality gap of {best['gap']:.2e}, above tol={tol:.2e}"
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return best["w"], float(best["gap"])
