"""The second-order solver against scikit-learn, its own certificate, and the corners where lasso solvers
break.
"""

import numpy as np
import pytest
import torch
from scipy import sparse

from lasso_problems import gap_of, largest_alpha, problem, reference
from spred_bench.lasso.second_order.newton import solve_lasso
from spred_bench.lasso.second_order.path import lasso_path
from spred_bench.lasso.second_order.varpro import solve_by_projection


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(60, 30), (40, 200), (300, 40), (30, 2000), (50, 50)])
@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("kind", ["F", "C", "float32", "csc", "csr", "torch"])
def test_agrees_with_coordinate_descent(shape, fraction, kind):
    X, y = problem(*shape, nonzeros=10)
    alpha = fraction * largest_alpha(X, y)
    expected = reference(X, y, alpha).coef_
    stored = {
        "F": lambda: X,
        "C": lambda: np.ascontiguousarray(X),
        "float32": lambda: X.astype(np.float32),
        "csc": lambda: sparse.csc_array(X),
        "csr": lambda: sparse.csr_matrix(X),
        "torch": lambda: torch.from_numpy(np.ascontiguousarray(X)),
    }[kind]()
    result = solve_lasso(stored, y, alpha, tol=1e-9 if kind != "float32" else 1e-6)
    coef = np.asarray(result.coef)
    assert result.status == "converged"
    np.testing.assert_allclose(coef, expected, atol=1e-4 if kind == "float32" else 1e-6)
    assert gap_of(X, y, coef, alpha) < 1e-5


@pytest.mark.parametrize("n, p, dense", [(100, 400, False), (100, 1500, True), (200, 200, True)])
@pytest.mark.parametrize("fraction", [0.1, 0.01, 1e-4])
def test_certificate_is_true_and_tight(n, p, dense, fraction):
    X, y = problem(n, p, nonzeros=p if dense else 5)
    alpha = fraction * largest_alpha(X, y)
    result = solve_lasso(X, y, alpha, tol=1e-12)
    assert result.dual_gap <= 1e-12
    assert abs(gap_of(X, y, result.coef, alpha)) < 1e-11
    assert 0 < np.count_nonzero(result.coef) <= n


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stored", [np.asfortranarray, np.ascontiguousarray, sparse.csc_array])
def test_intercept_and_weights(weighted, stored):
    X, y = problem(80, 150)
    X, y = X + 3.0, y + 7.0
    weights = np.random.default_rng(1).uniform(0, 2, 80) if weighted else None
    fit = {"sample_weight": weights} if weighted else {}
    expected = reference(X, y, 0.05, fit_intercept=True, fit=fit)
    result = solve_lasso(stored(X), y, 0.05, tol=1e-12, fit_intercept=True, sample_weight=weights)
    np.testing.assert_allclose(result.coef, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(result.intercept, expected.intercept_, atol=1e-5)


def test_constant_columns_with_an_intercept_stay_out():
    X, y = problem(50, 20)
    X[:, 3] = 5.0
    assert solve_lasso(X, y, 1e-3, fit_intercept=True).coef[3] == 0


def test_many_targets_equal_single_ones():
    X, _ = problem(60, 900)
    rng = np.random.default_rng(2)
    Y = X[:, :5] @ rng.standard_normal((5, 12)) + 0.1 * rng.standard_normal((60, 12))
    Y[:, 4] = 0
    result = solve_lasso(X, Y, 0.05, tol=1e-10)
    assert result.coef.shape == (12, 900) and result.dual_gap.shape == (12,)
    for j in range(12):
        np.testing.assert_allclose(result.coef[j], solve_lasso(X, Y[:, j], 0.05, tol=1e-10).coef, atol=1e-8)


def test_zero_at_the_largest_penalty_and_above():
    X, y = problem(30, 100)
    for alpha in (largest_alpha(X, y) * (1 + 1e-12), 10.0 * largest_alpha(X, y)):
        result = solve_lasso(X, y, alpha)
        assert not result.coef.any() and result.dual_gap < 1e-9
    assert solve_lasso(X, y, 0.99 * largest_alpha(X, y)).coef.any()


@pytest.mark.parametrize("shape", [(40, 10), (20, 90), (30, 30)])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_no_penalty_gives_minimum_norm_least_squares(shape, fit_intercept):
    X, y = problem(*shape)
    means, shift = (X.mean(0), y.mean()) if fit_intercept else (0.0, 0.0)
    expected = np.linalg.lstsq(X - means, y - shift)[0]
    result = solve_lasso(X, y, 0.0, fit_intercept=fit_intercept)
    if shape != (30, 30) or fit_intercept:
        np.testing.assert_allclose(result.coef, expected, atol=1e-7)
    assert result.status == "converged"


def test_tiny_penalty_with_more_columns_than_rows():
    X, y = problem(25, 300, nonzeros=300)
    alpha = 1e-9 * largest_alpha(X, y)
    result = solve_lasso(X, y, alpha, tol=1e-12)
    assert gap_of(X, y, result.coef, alpha) <= 1e-6
    assert np.abs(y - X @ result.coef).max() < 1e-4


def test_duplicate_zero_and_constant_columns():
    X, y = problem(40, 30)
    X = np.hstack([X, X[:, :15], -X[:, 5:20], np.zeros((40, 3)), np.ones((40, 2))])
    alpha = 0.02 * largest_alpha(X, y)
    result = solve_lasso(X, y, alpha, tol=1e-9)
    assert gap_of(X, y, result.coef, alpha) <= 1e-8
    assert not result.coef[60:63].any()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scales_of_columns_and_target(scale):
    X, y = problem(50, 120, nonzeros=40)
    X = X * np.geomspace(1e-2, 1e2, 120)
    alpha = 0.05 * largest_alpha(X, y)
    plain = solve_lasso(X, y, alpha, tol=1e-10).coef
    np.testing.assert_allclose(solve_lasso(X, scale * y, scale * alpha, tol=1e-10).coef / scale, plain, atol=1e-5)


@pytest.mark.parametrize("rho", [0.6, 0.95])
def test_correlated_columns(rho):
    X, y = problem(100, 400)
    for j in range(1, 400):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    y = X @ np.random.default_rng(3).standard_normal(400) + y
    alpha = 0.01 * largest_alpha(X, y)
    assert gap_of(X, y, solve_lasso(X, y, alpha, tol=1e-10).coef, alpha) <= 1e-9


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1), (2, 700)])
def test_smallest_shapes(shape):
    X, y = problem(*shape)
    alpha = 0.3 * largest_alpha(X, y)
    np.testing.assert_allclose(solve_lasso(X, y, alpha, tol=1e-12).coef, reference(X, y, alpha).coef_, atol=1e-7)


def test_zero_target():
    X, _ = problem(20, 30)
    for alpha in (0.0, 0.1):
        result = solve_lasso(X, np.zeros(20), alpha)
        assert not result.coef.any() and result.dual_gap == 0 and result.status == "converged"


@pytest.mark.parametrize("stored", [np.asfortranarray, sparse.csr_array])
def test_single_precision_is_certified_in_double(stored):
    X, y = problem(60, 3000, dtype=np.float32, nonzeros=3000)
    X, y = X.astype(np.float64), y.astype(np.float64)
    alpha = 0.02 * largest_alpha(X, y)
    result = solve_lasso(stored(X.astype(np.float32)), y, alpha, tol=1e-6)
    assert result.dual_gap == pytest.approx(gap_of(X, y, result.coef, alpha), rel=1e-3, abs=1e-12)


def test_warm_start_and_callback():
    X, y = problem(60, 1500, nonzeros=30)
    alpha = 0.05 * largest_alpha(X, y)
    seen = []
    cold = solve_lasso(X, y, alpha, tol=1e-9, callback=lambda w: seen.append(gap_of(X, y, w, alpha)))
    assert len(seen) >= 2 and min(seen) <= 1e-8
    warm = solve_lasso(X, y, alpha, tol=1e-9, warm_start=cold.coef)
    assert warm.n_iter == 0
    np.testing.assert_array_equal(warm.coef, cold.coef)
    assert solve_lasso(X, y, alpha, warm_start=np.ones(1500)).status == "converged"


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_path_equals_separate_solutions(fit_intercept):
    X, y = problem(50, 300)
    alphas, results = lasso_path(X, y, n_alphas=20, tol=1e-10, fit_intercept=fit_intercept)
    assert len(results) == 20 and not results[0].coef.any()
    for alpha, result in list(zip(alphas, results, strict=True))[::4]:
        single = solve_lasso(X, y, alpha, tol=1e-10, fit_intercept=fit_intercept)
        np.testing.assert_allclose(result.coef, single.coef, atol=1e-6)


@pytest.mark.parametrize("shape", [(60, 30), (30, 80)])
def test_variable_projection_reaches_the_same_solution(shape):
    X, y = problem(*shape)
    alpha = 0.1 * largest_alpha(X, y)
    w, gap = solve_by_projection(X, y, alpha, tol=1e-7)
    assert gap <= 1e-7
    np.testing.assert_allclose(w, solve_lasso(X, y, alpha, tol=1e-12).coef, atol=1e-3)
