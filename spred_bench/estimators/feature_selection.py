"""scikit-learn estimators: a sparse classifier and a feature selector, by spred with one mask for all classes."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from spred_bench.lasso.second_order.feature_path import FeaturePath

# Where the search for a number of features ends: at this fraction of the smallest kappa that selects nothing.
_SMALLEST = 1e-4
_STEP = 0.7
_BISECTIONS = 6
_MOST_CLASSES = 20  # numbers in y that are taken for labels however few samples there are
_BLOCK_ENTRIES = 2**22  # of X, widened to float64 at a time


def first_features(ranked_at, kappa_max: float, number: int) -> tuple[np.ndarray, float]:
    """(up to `number` features, the most important first; kappa): down the path to enough features, then back up.

    ranked_at(kappa): features (k,), ranked. Of the kappas tried that give enough features, the largest gives its first
    ones; where none gives enough, the last gives all it has.
    """
    high, kappa = kappa_max, 0.95 * kappa_max
    while len(found := ranked_at(kappa)) < number and kappa > _SMALLEST * kappa_max:
        high, kappa = kappa, _STEP * kappa
    for _ in range(_BISECTIONS):
        if len(found) <= number:
            break
        middle = (kappa * high) ** 0.5
        fewer = ranked_at(middle)
        if len(fewer) < number:
            high = middle
        else:
            kappa, found = middle, fewer
    return found[:number], kappa


def _standardised(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(X - mean) / scale, taken in float64 and kept in the type of X: float32 cannot hold the mean of large values."""
    scaled = np.empty_like(X, order="F")
    width = max(1, _BLOCK_ENTRIES // len(X))
    for start in range(0, X.shape[1], width):
        columns = slice(start, start + width)
        scaled[:, columns] = (X[:, columns].astype(np.float64) - mean[columns]) / scale[columns]
    return scaled


def _is_count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


class _Scaled(BaseEstimator):
    """What both estimators share: input checks and scaling."""

    def _checked(self, X, y):
        """X (n, d) centred and of unit variance if asked for, labels (n,) from 0; sets classes_, and the scaling."""
        for name, kind, low in (("kappa", Real, 0), ("tol", Real, 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind) or not low < value < np.inf:
                raise ValueError(f"{name}={value!r}: expected a finite number above {low}")
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if y.dtype.kind in "fiu" and len(self.classes_) > max(_MOST_CLASSES, len(y) // 4):
            raise ValueError(
                f"y has {len(self.classes_)} distinct numbers in {len(y)} samples: that is a continuous target, "
                "and labels of classes are needed (SpredLasso is for regression)"
            )
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class only, {self.classes_[0]}: at least two are needed")
        self._mean, self._scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
        if self.standardize:
            self._mean, deviation = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
            # A constant feature's deviation may be a rounding error: it is not to be blown up.
            self._scale = np.where(deviation > 1e-12 * np.maximum(np.abs(self._mean), 1e-300), deviation, 1.0)
            X = _standardised(X, self._mean, self._scale)
        return X, labels


class SpredClassifier(ClassifierMixin, _Scaled):
    """Multinomial logistic regression that selects features: CE(X V + b) + 2 kappa sum_j |V_j|, solved as spred.

    One feature is in or out for all classes together. How it is solved: `spred_bench.lasso.second_order.feature_path`.

    Parameters
    ----------
    kappa : float > 0. Strength of Eq. (8); above `kappa_max_` nothing is selected.
    fit_intercept : bool. b is not penalised; the paper's f_l has none.
    standardize : bool. Centre and scale features first: the penalty treats them alike only if they are of one size.
    tol : float. Largest violation of the optimality conditions, as a fraction of 2 kappa; a ConvergenceWarning says
        where it is not reached.

    Attributes
    ----------
    classes_ : (C,).  coef_ : (C, d), or (1, d) for two classes, for X as given.  intercept_ : (C,) or (1,).
    kappa_max_ : float.  residual_ : float, the violation reached.  n_selected_ : int.  n_iter_ : int, working sets.
    """

    def __init__(self, kappa: float = 0.05, *, fit_intercept: bool = True, standardize: bool = True, tol: float = 1e-5):
        self.kappa = kappa
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol

    def fit(self, X: ArrayLike, y: ArrayLike) -> "SpredClassifier":
        """Fit to X (n, d) and labels y (n,)."""
        X, labels = self._checked(X, y)
        path = FeaturePath(X, labels, len(self.classes_), intercept=bool(self.fit_intercept), tol=self.tol)
        point = path.at(float(self.kappa))
        coef = np.zeros((len(self.classes_), X.shape[1]))
        coef[:, point.features] = point.coef.T / self._scale[point.features]
        intercept = point.intercept - coef @ self._mean
        two = len(self.classes_) == 2
        self.coef_ = coef[1:] - coef[:1] if two else coef
        self.intercept_ = intercept[1:] - intercept[:1] if two else intercept
        self.kappa_max_, self.residual_ = path.kappa_max, point.residual
        if not point.residual <= self.tol:
            warnings.warn(
                f"the optimality conditions are violated by {point.residual:.1e} of 2 kappa, above tol={self.tol:.1e}",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.n_selected_, self.n_iter_ = len(point.features), max(path.n_rounds, 1)
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Logits (m, C), or their difference (m,) for two classes."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        logits = X @ self.coef_.T + self.intercept_
        return logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities (m, C)."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        E = np.exp(logits - logits.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Labels (m,)."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class SpredFeatureSelector(SelectorMixin, _Scaled):
    """Selects the features that a linear model, or a linear model and a network together, uses (Eq. (8)).

    Parameters
    ----------
    n_features : int or None. Exactly so many: kappa is lowered until there are enough, and the most important are kept;
        if the smallest kappa gives too few, the features that the loss pulls at most come after them.
    kappa : float > 0. The strength, where n_features is None.
    hidden : sizes of the hidden layers of the network beside the linear model; () for the linear model alone.
    standardize, fit_intercept, tol : as in SpredClassifier; the last two for the linear model alone.
    learning_rate, max_steps, random_state : of SGD, for the network.

    Attributes
    ----------
    selected_ : (k,) indices, the largest weights first.  kappa_ : float, the strength used.  classes_ : (C,).
    """

    def __init__(
        self,
        n_features: int | None = None,
        *,
        kappa: float = 0.05,
        hidden: Sequence[int] = (),
        standardize: bool = True,
        fit_intercept: bool = True,
        tol: float = 1e-5,
        learning_rate: float = 0.1,
        max_steps: int = 500,
        random_state: int | RandomState | None = None,
    ):
        self.n_features = n_features
        self.kappa = kappa
        self.hidden = hidden
        self.standardize = standardize
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.learning_rate = learning_rate
        self.max_steps = max_steps
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> "SpredFeatureSelector":
        """Fit to X (n, d) and labels y (n,)."""
        X, labels = self._checked(X, y)
        number, d = self.n_features, X.shape[1]
        if number is not None and not (_is_count(number) and number <= d):
            raise ValueError(f"n_features={number!r}: expected None or an integer from 1 to {d}, the features of X")
        self._check_network()
        path = FeaturePath(X, labels, len(self.classes_), intercept=bool(self.fit_intercept), tol=self.tol)
        by_pull = np.argsort(-path.pull, kind="stable")  # while nothing is selected
        ranked_at = self._network(X, labels) if len(self.hidden) else lambda kappa: path.at(kappa).features
        if number is None:
            self.selected_, self.kappa_ = ranked_at(float(self.kappa)), float(self.kappa)
        else:
            found, self.kappa_ = first_features(ranked_at, path.kappa_max or 1.0, number)
            self.selected_ = np.concatenate([found, np.setdiff1d(by_pull, found, assume_unique=True)])[:number]
        return self

    def _check_network(self) -> None:
        """ValueError, one line, for settings that no network can be built or trained with."""
        sizes = self.hidden
        if not isinstance(sizes, (tuple, list)) or not all(_is_count(size) for size in sizes):
            raise ValueError(f"hidden={sizes!r}: expected the sizes of the layers, e.g. (64, 64), or () for no network")
        if not _is_count(self.max_steps):
            raise ValueError(f"max_steps={self.max_steps!r}: expected an integer of at least 1")
        if not isinstance(self.learning_rate, Real) or not 0 < self.learning_rate < np.inf:
            raise ValueError(f"learning_rate={self.learning_rate!r}: expected a finite number above 0")

    def _network(self, X, labels):
        """kappa -> the features (k,) that the linear model and the network, trained together, use, ranked."""
        from spred_bench.estimators.joint_training import train_jointly
        from spred_bench.estimators.selecting import SelectingRecipe

        X = X.astype(np.float32)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        recipe = SelectingRecipe(self.learning_rate, self.max_steps, clip_norm=1.0, compact_every=20)

        def ranked_at(kappa: float) -> np.ndarray:
            arrays = (X, labels, X, labels)
            return train_jointly(arrays, len(self.classes_), self.hidden, kappa, recipe, seed=seed)[0]

        return ranked_at

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.selected_] = True
        return mask

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
