"""SpredClassifier on small strengths, ugly scales, duplicates and float32: a tighter tol never gives a worse answer."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from spred_bench import SpredClassifier, SpredFeatureSelector
from spred_bench.lasso.second_order import feature_path


def problem(n_classes: int = 2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 10))
    score = X[:, 0] + X[:, 1] + 0.5 * rng.standard_normal(60)
    return X, np.digitize(score, [0.0] if n_classes == 2 else [-0.7, 0.7])


def violation(model: SpredClassifier, X, y, kappa: float) -> float:
    """Largest violation of the optimality conditions, relative to 2 kappa, of a model without scaling, in float64."""
    X, onehot = np.float64(X), np.eye(len(model.classes_))[y]
    coef = model.coef_ if len(model.classes_) > 2 else np.vstack([-model.coef_ / 2, model.coef_ / 2])
    gradient = X.T @ (model.predict_proba(X) - onehot) / len(X)
    gradient -= gradient.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(coef, axis=0)
    pull = gradient / (2 * kappa) + (coef / np.where(norms > 0, norms, 1)).T
    return float(max(np.where(norms > 0, np.linalg.norm(pull, axis=1), np.linalg.norm(pull, axis=1) - 1).max(), 0))


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_residual_never_rises_as_tol_falls(n_classes):
    X, y = problem(n_classes)
    kappa = 1e-6 * SpredClassifier(1.0).fit(X, y).kappa_max_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1e-10 of so small a kappa may be below rounding
        residuals = [SpredClassifier(kappa, tol=tol).fit(X, y).residual_ for tol in (1e-3, 1e-5, 1e-8, 1e-10)]
    assert residuals == sorted(residuals, reverse=True) and residuals[-1] <= 1e-8


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_units_and_equal_columns_do_not_matter(scale, copies, n_classes):
    X, y = problem(n_classes)
    X = scale * np.hstack([X] * copies)
    kappa = 0.01 * SpredClassifier(1e12, standardize=False).fit(X, y).kappa_max_
    model = SpredClassifier(kappa, standardize=False).fit(X, y)
    assert model.residual_ <= 1e-5
    assert violation(model, X, y, kappa) <= 1e-4


def test_float32_of_large_values_is_the_model_of_float64():
    X, y = problem()
    X = (1e7 + 10 * X).astype(np.float32)
    kappa = 0.05 * SpredClassifier(1.0).fit(X, y).kappa_max_
    narrow, wide = (SpredClassifier(kappa).fit(data, y) for data in (X, X.astype(np.float64)))
    np.testing.assert_allclose(narrow.predict_proba(X), wide.predict_proba(X.astype(np.float64)), atol=1e-5)


def test_what_is_not_reached_is_said(monkeypatch):
    X, y = problem()
    monkeypatch.setattr(feature_path, "_MAX_ROUNDS", 1)
    with pytest.warns(ConvergenceWarning, match=r"violated by .* of 2 kappa, above tol=1.0e-15"):
        SpredClassifier(1e-3, tol=1e-15).fit(X, y)


@pytest.mark.parametrize("estimator", [SpredClassifier(), SpredFeatureSelector(3)])
def test_a_continuous_target_is_named(estimator):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="y has 214 distinct numbers in 442 samples: that is a continuous target"):
        estimator.fit(X, y)
