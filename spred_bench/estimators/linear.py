"""scikit-learn estimators: the lasso and the group lasso by second-order spred, to a certified duality gap."""

import warnings
from numbers import Integral, Real

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from spred_bench.lasso.second_order.group_lasso import solve_groups
from spred_bench.lasso.second_order.newton import prepare, solve_lasso
from spred_bench.lasso.second_order.path import lasso_path
from spred_bench.system.threads import one_thread_for_numpy

Design = ArrayLike | scipy.sparse.spmatrix | scipy.sparse.sparray
_INPUT = {
    "accept_sparse": ["csr", "csc"],
    "dtype": [np.float64, np.float32],
    "multi_output": True,
    "y_numeric": True,
}


class _Linear(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What both estimators share: input checks, prediction, tags."""

    def predict(self, X: Design) -> np.ndarray:
        """X coef_ + intercept_, shape (n,) or (n, m)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32], reset=False)
        return np.asarray(safe_sparse_dot(X, self.coef_.T, dense_output=True)) + self.intercept_

    @property
    def sparse_coef_(self) -> scipy.sparse.csr_matrix:
        """`coef_` as a SciPy CSR matrix."""
        return scipy.sparse.csr_matrix(self.coef_)

    def _checked(self, X, y, sample_weight):
        for name, kind, low in (("alpha", Real, 0), ("tol", Real, 0), ("max_iter", Integral, 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value < np.inf:
                raise ValueError(f"{name}={value!r}: expected a finite number of at least {low}")
        X, y = validate_data(self, X, y, **_INPUT)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("sample_weight is all zero")
        return X, np.asarray(y, dtype=np.float64), sample_weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class SpredLasso(_Linear):
    """Lasso, 1/(2n) |y - Xw - b|^2 + alpha |w|_1, solved as spred with a second-order optimizer.

    A drop-in for `sklearn.linear_model.Lasso`: the same objective and the same `alpha` (in the paper's terms 2 kappa).
    How it is solved: `spred_bench.lasso.second_order.newton`.

    Parameters
    ----------
    alpha : float >= 0. 0 gives the least-squares solution of minimum norm.
    fit_intercept : bool. X is never centred in memory; a sparse X is never made dense.
    tol : float. Largest duality gap, as a fraction of |y|^2 / (2n) of the centred y.
    max_iter : int. Largest number of working sets.
    warm_start : bool. Start from the coefficients of the fit before.

    Attributes
    ----------
    coef_ : (p,) or (m, p).  intercept_ : float or (m,).  n_iter_ : int, working sets tried.
    dual_gap_ : float or (m,), in the units of the objective.

    Warns ConvergenceWarning, with the gap reached, where `tol` is not met.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Design, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "SpredLasso":
        """Fit to X (n, p), dense or CSR/CSC, and y (n,) or (n, m); sample_weight (n,), as in scikit-learn."""
        X, y, sample_weight = self._checked(X, y, sample_weight)
        start = np.atleast_2d(self.coef_) if self.warm_start and hasattr(self, "coef_") else None
        if start is not None and start.shape != (1 if y.ndim == 1 else y.shape[1], X.shape[1]):
            start = None
        options = {"tol": max(self.tol, 1e-15), "max_iter": self.max_iter, "fit_intercept": bool(self.fit_intercept)}
        result = solve_lasso(X, y, self.alpha, warm_start=start, sample_weight=sample_weight, **options)
        self.coef_, self.intercept_, self.dual_gap_ = result.coef, result.intercept, result.dual_gap
        if y.ndim == 2 and y.shape[1] == 1:  # as in scikit-learn
            self.coef_, self.dual_gap_ = result.coef[0], result.dual_gap[0]
        self.n_iter_ = max(int(result.n_iter), 1)
        self.dual_gap_ = _absolute(self.dual_gap_, y, sample_weight, self.fit_intercept)
        return self

    @staticmethod
    def path(
        X: Design,
        y: ArrayLike,
        *,
        eps: float = 1e-3,
        n_alphas: int = 100,
        alphas: ArrayLike | None = None,
        tol: float = 1e-6,
        max_iter: int = 100,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Solutions for decreasing alphas, each started from the one before, without an intercept.

        Returns alphas (a,), coefs (p, a) or (m, p, a), and dual gaps (a,) or (m, a) relative to |y|^2 / (2n).
        """
        alphas, results = lasso_path(X, y, alphas, n_alphas=n_alphas, eps=eps, tol=tol, max_iter=max_iter)
        coefs = np.stack([np.asarray(result.coef) for result in results], axis=-1)
        return alphas, coefs, np.stack([result.dual_gap for result in results], axis=-1)


class SpredGroupLasso(_Linear):
    """Group lasso, 1/(2n) |Y - XW - b|^2 + alpha sum_g c_g |W_g|, solved as spred with one scalar per group.

    The norm of a group runs over its features and all targets (Frobenius), so that groups of one feature give
    scikit-learn's MultiTaskLasso. How it is solved: `spred_bench.lasso.second_order.group_lasso`.

    Parameters
    ----------
    alpha : float >= 0. 0 gives the least-squares solution of minimum norm.
    groups : int, the size of consecutive groups (the last may be smaller), or (p,) labels, one per feature.
    group_weights : None (all 1), "sqrt" (square root of the group's size), or (G,) in the order of sorted labels.
    fit_intercept, tol, max_iter, warm_start : as in SpredLasso.

    Attributes
    ----------
    coef_, intercept_, n_iter_ : as in SpredLasso.  dual_gap_ : one float for all targets.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: int | ArrayLike = 1,
        group_weights: str | ArrayLike | None = None,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        max_iter: int = 100,
        warm_start: bool = False,
    ):
        self.alpha = alpha
        self.groups = groups
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def fit(self, X: Design, y: ArrayLike, sample_weight: ArrayLike | None = None) -> "SpredGroupLasso":
        """Fit to X (n, p), dense or CSR/CSC, and y (n,) or (n, m); sample_weight (n,), as in scikit-learn."""
        X, y, sample_weight = self._checked(X, y, sample_weight)
        groups = _groups(self.groups, X.shape[1])
        weights = _group_weights(self.group_weights, groups)
        design, Y, centre = prepare(X, y, bool(self.fit_intercept), sample_weight)
        start = getattr(self, "coef_", None) if self.warm_start else None
        start = start if start is None else np.atleast_2d(start).T
        start = start if start is not None and start.shape == (X.shape[1], Y.shape[1]) else None
        options = {"tol": max(self.tol, 1e-15), "max_iter": self.max_iter, "start": start}
        with one_thread_for_numpy():  # the products are small
            result = solve_groups(design, Y, float(self.alpha), groups, weights, **options)
        if not result.dual_gap <= self.tol:
            warnings.warn(
                f"SpredGroupLasso stopped at a relative duality gap of {result.dual_gap:.2e}, above tol={self.tol:.2e}",
                ConvergenceWarning,
                stacklevel=2,
            )
        coef = result.coef.T
        intercept = np.zeros(len(coef)) if centre is None else (centre[1].numpy() - coef @ centre[0].numpy())
        self.coef_ = coef[0] if y.ndim == 1 else coef
        self.intercept_ = float(intercept[0]) if y.ndim == 1 else intercept
        self.n_iter_ = max(int(result.n_iter), 1)
        self.dual_gap_ = float(np.sum(_absolute(result.dual_gap, y, sample_weight, self.fit_intercept)))
        return self


def _absolute(gap, y, sample_weight, centred: bool):
    """Relative gaps times |y|^2 / (2n) of the centred and weighted y, one per target: in the units of the objective."""
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    y = y - np.average(y, axis=0, weights=weight) if centred else y
    with np.errstate(over="ignore"):  # |y|^2 beyond the largest number is infinite
        part = np.sqrt(gap) * y
        return np.average(part * part, axis=0, weights=weight) / 2


def _groups(groups, p: int) -> list[np.ndarray]:
    """Index arrays from a size or from labels. ValueError, one line, for anything else."""
    if isinstance(groups, Integral) and not isinstance(groups, bool) and groups >= 1:
        return [np.arange(first, min(first + groups, p)) for first in range(0, p, int(groups))]
    labels = np.asarray(groups)
    if labels.shape != (p,):
        raise ValueError(f"groups={groups!r}: expected a size of at least 1, or {p} labels, one per feature")
    _, owner = np.unique(labels, return_inverse=True)
    return [np.flatnonzero(owner == g) for g in range(owner.max() + 1)]


def _group_weights(weights, groups) -> np.ndarray:
    if weights is None:
        return np.ones(len(groups))
    if isinstance(weights, str) and weights == "sqrt":
        return np.sqrt([len(g) for g in groups])
    values = np.asarray(np.nan if isinstance(weights, str) else weights, dtype=np.float64)
    if values.shape != (len(groups),) or not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"group_weights={weights!r}: expected None, 'sqrt', or {len(groups)} positive numbers")
    return values
