"""Dependent columns, single precision and early stops: the right values, by scikit-learn at a tolerance of 1e-12."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from lasso_problems import gap_of, reference
from spred_bench import SpredLasso
from spred_bench.lasso.second_order.active_set import descend
from spred_bench.lasso.second_order.newton import solve_lasso


def one_hot(targets=None):
    """600 rows, 8 groups of 30 columns, each group adding up to one."""
    rng = np.random.default_rng(0)
    X = np.hstack([np.eye(30)[rng.integers(0, 30, 600)] for _ in range(8)])
    y = X @ rng.standard_normal(240) + 0.5 * rng.standard_normal(600)
    return X, (y if targets is None else np.stack([y] + [y[::-1]] * (targets - 1), axis=1))


def quietly(model, X, y, **options):
    """The fitted model; a warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return model.fit(X, y, **options)


@pytest.mark.parametrize("stored", [np.asfortranarray, np.ascontiguousarray, scipy.sparse.csr_matrix])
@pytest.mark.parametrize("targets", [None, 2])
def test_one_hot_columns_have_the_known_solution(stored, targets):
    X, y = one_hot(targets)
    coef = np.atleast_2d(quietly(SpredLasso(1.0864341883727958e-4), stored(X), y).coef_)[0]
    # A constant added to the coefficients of a group goes into the intercept; between the two middle coefficients it
    # leaves |w|_1 as it is, so that only differences within a group are unique.
    expected = np.array([-0.27251813, -1.4455583e-4, 1.90091233])
    np.testing.assert_allclose(coef[:3] - coef[0], expected - expected[0], atol=2e-6)


@pytest.mark.slow
def test_one_hot_columns_at_thirty_strengths():
    X, y = one_hot()
    centred, target = X - X.mean(0), y - y.mean()
    for alpha in np.geomspace(1e-2, 1e-6, 30):
        coef = quietly(SpredLasso(alpha), X, y).coef_
        assert gap_of(centred, target, coef, alpha) <= 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_column_twice(weighted, dtype):
    digits = load_digits()
    X = np.hstack([digits.data[:300]] * 2).astype(dtype)
    y = digits.target[:300].astype(float)
    weight = np.random.default_rng(0).uniform(0.5, 2, 300) if weighted else np.ones(300)
    root = np.sqrt(weight * 300 / weight.sum())
    centred = (X - np.average(X.astype(float), axis=0, weights=weight)) * root[:, None]
    target = (y - np.average(y, weights=weight)) * root
    for alpha in (5.59e-5, 1e-3, 0.1):
        coef = quietly(SpredLasso(alpha), X, y, sample_weight=weight).coef_
        assert gap_of(centred, target, coef, alpha) <= 1.01e-6


def test_a_path_on_equal_columns_is_certified():
    X = np.hstack([load_digits().data[:200]] * 2)
    y = load_digits().target[:200].astype(float)
    alphas, coefs, gaps = SpredLasso.path(X, y, n_alphas=15, eps=1e-5)
    assert (gaps <= 1e-6).all()
    assert max(gap_of(X, y, coef, alpha) for alpha, coef in zip(alphas, coefs.T, strict=True)) <= 1.01e-6


def test_a_warm_start_on_equal_columns_leads_to_the_optimum():
    rng = np.random.default_rng(0)
    for _ in range(30):
        X = rng.standard_normal((40, 1)) + 0.01 * rng.standard_normal((40, 30))
        X = np.hstack([X, X])
        y = X @ rng.standard_normal(60) + rng.standard_normal(40)
        model = SpredLasso(1.0, warm_start=True, fit_intercept=False)
        for alpha in (1e-1, 1e-3, 1e-5):
            quietly(model.set_params(alpha=alpha), X, y)
            assert gap_of(X, y, model.coef_, alpha) <= 1.01e-6


@pytest.mark.parametrize("start", ["zero", "random"])
@pytest.mark.parametrize("fraction", [0.1, 1e-3, 1e-6])
def test_descent_meets_the_conditions_whatever_the_rank(start, fraction):
    rng = np.random.default_rng(1)
    X, _ = one_hot()
    y = rng.standard_normal(600)
    gram, b = X.T @ X / 600, X.T @ y / 600
    alpha = fraction * np.abs(b).max()
    w, reached = descend(gram, b, alpha, np.zeros(240) if start == "zero" else rng.standard_normal(240), 5000)
    q = b - gram @ w
    assert reached
    assert np.abs(q).max() <= alpha * (1 + 1e-6)
    np.testing.assert_allclose(q[w != 0], alpha * np.sign(w[w != 0]), atol=1e-6 * alpha)


def test_single_precision_means_are_taken_in_double():
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(m, s, 50_000) for m, s in ((2000, 10), (290, 8), (101_325, 800))], axis=1)
    y = X @ [0.3, -0.2, 0.01] + rng.standard_normal(50_000)
    X = X.astype(np.float32)
    model = quietly(SpredLasso(0.01), X, y)
    expected = reference(X.astype(np.float64), y, 0.01, fit_intercept=True)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4)
    assert abs(np.mean(y - X.astype(np.float64) @ model.coef_ - model.intercept_)) < 1e-8


def test_the_answer_is_exact_at_the_default_tolerance():
    assert SpredLasso(1e-3).fit([[-1], [0], [1]], [-1, 0, 1]).coef_[0] == pytest.approx(0.9985, abs=1e-12)
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 30)), rng.standard_normal((60, 4))
    for alpha in (0.3, 0.03, 1e-3):
        together = solve_lasso(X, Y, alpha).coef
        alone = [solve_lasso(X, y, alpha).coef for y in Y.T]
        np.testing.assert_allclose(together, alone, atol=1e-9)
        np.testing.assert_allclose(together, [reference(X, y, alpha).coef_ for y in Y.T], atol=1e-7)
