"""Random lasso problems, and what is true of them whoever solves them."""

import warnings

import numpy as np
from sklearn.linear_model import Lasso


def problem(n, p, seed=0, dtype=np.float64, order="F", nonzeros=5):
    """X: (n, p), y: (n,) from `nonzeros` of the features and noise."""
    rng = np.random.default_rng(seed)
    X = np.asarray(rng.standard_normal((n, p)), dtype=dtype, order=order)
    w = np.zeros(p)
    w[rng.choice(p, min(nonzeros, p), replace=False)] = rng.standard_normal(min(nonzeros, p))
    return X, (X @ w + 0.1 * rng.standard_normal(n)).astype(dtype)


def largest_alpha(X, y):
    """The smallest penalty at which the solution is zero."""
    return np.abs(X.T @ y).max() / X.shape[0]


def gap_of(X, y, w, alpha):
    """Relative duality gap at w, (p,), written without the package's own."""
    X, y, n = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64), len(y)
    r = y - X @ w
    scale = min(1.0, alpha / max(np.abs(X.T @ r).max() / n, 1e-300))
    value = r @ r / (2 * n) + alpha * np.abs(w).sum()
    return (value - (y @ y - (y - scale * r) @ (y - scale * r)) / (2 * n)) / (y @ y / (2 * n))


def reference(X, y, alpha, **options):
    """scikit-learn's fitted Lasso, at its tightest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options.setdefault("fit_intercept", False)
        fit = options.pop("fit", {})
        return Lasso(alpha=alpha, tol=1e-14, max_iter=200_000, **options).fit(X, y, **fit)
