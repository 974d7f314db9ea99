"""Small problems drawn anew each day: every fit is within its tolerance, or warns and is no worse than zero."""

import datetime
import warnings

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning

from spred_bench import SpredLasso

FITS = 100


def draw(rng):
    """X, y, both centred, weights, alpha and options."""
    n, p = int(rng.integers(2, 60)), int(rng.integers(1, 50))
    kind = rng.choice(["gauss", "onehot", "equal", "constant", "zero", "corr", "ints"])
    X = rng.standard_normal((n, p))
    if kind == "onehot":
        X = np.hstack([np.eye(5)[rng.integers(0, 5, n)] for _ in range(int(rng.integers(1, 8)))])
    if kind == "equal":
        X = np.hstack([X, X, -X[:, : p // 2]])
    if kind == "constant":
        X[:, rng.random(p) < 0.5] = 3.0
    if kind == "zero":
        X[:, rng.random(p) < 0.5] = 0
    if kind == "corr":
        X = X * 1e-3 + rng.standard_normal((n, 1))
    if kind == "ints":
        X = rng.integers(0, 3, (n, p)).astype(float)
    m = int(rng.choice([0, 0, 1, 2, 5]))
    W = rng.standard_normal((X.shape[1], max(m, 1)))
    Y = X @ W + rng.choice([0.01, 1]) * rng.standard_normal((n, max(m, 1)))
    X = X * 10.0 ** rng.choice([0, 0, -8, -3, 3, 8])
    Y = Y * 10.0 ** rng.choice([0, 0, -8, -3, 3, 8])
    if rng.random() < 0.3:
        X += X.std() * rng.choice([1, 10])
    dtype = rng.choice([np.float64, np.float32])
    X = X.astype(dtype)
    w = rng.integers(0, 3, n).astype(float) if rng.random() < 0.25 else None
    if w is not None and w.sum() == 0:
        w = None
    stores = (np.ascontiguousarray, np.asfortranarray, scipy.sparse.csr_matrix, scipy.sparse.csc_matrix)
    store = stores[rng.integers(4)]
    inter = bool(rng.random() < 0.6)
    X64 = X.astype(float)
    ww = np.ones(n) if w is None else w
    ww = ww / ww.sum()
    Xc = X64 - ww @ X64 if inter else X64
    Yc = Y - ww @ Y if inter else Y
    top = np.abs((Xc * ww[:, None]).T @ Yc).max()
    alpha = float(top * rng.choice([1.5, 1, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6]))
    y = Y[:, 0] if m == 0 else Y
    return store(X), y, Xc, Yc, ww, alpha, inter, w, bool(rng.random() < 0.3)


def faults(seed):
    X, y, centred, Y, weight, alpha, intercept, sample_weight, warm = draw(np.random.default_rng(seed))
    model = SpredLasso(alpha, fit_intercept=intercept, warm_start=warm)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", ConvergenceWarning)
        if warm:
            model.fit(X, 1.3 * y, sample_weight=sample_weight)
        seen.clear()
        model.fit(X, y, sample_weight=sample_weight)
    found = []
    for w, target in zip(np.atleast_2d(model.coef_), Y.T, strict=True):
        r, null = target - centred @ w, weight @ target**2 / 2
        value, top = weight @ r**2 / 2 + alpha * np.abs(w).sum(), np.abs(centred.T @ (weight * r)).max()
        c = min(1.0, alpha / top) if top > 0 else 1.0
        gap = value - c * (weight @ (r * target)) + c * c * (weight @ r**2) / 2
        if not value <= null * (1 + 1e-9) or not (seen or gap <= 1.11e-6 * null):
            found.append((seed, gap, null, value))
    return found


def test_no_small_problem_is_silently_wrong():
    first = datetime.datetime.now(datetime.UTC).toordinal() * FITS
    found = [fault for seed in range(first, first + FITS) for fault in faults(seed)]
    assert not found, f"(seed, gap, objective at zero, objective): {found}"
