"""The problem, its scaling and its certificate."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import Lasso

from spred_bench.lasso import LassoProblem, lambda_max, orthogonal_solution, soft_threshold


def problem(n=40, p=25, m=None, ratio=0.1, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)).astype(dtype)
    Y = rng.standard_normal(n if m is None else (n, m)).astype(dtype)
    return LassoProblem(X, Y, ratio * lambda_max(X, Y))


def sklearn_solution(lasso):
    model = Lasso(alpha=lasso.alpha, fit_intercept=False, tol=1e-12, max_iter=100_000)
    return model.fit(lasso.X, lasso.Y).coef_.T.reshape(lasso.shape)


def test_soft_threshold():
    np.testing.assert_array_equal(soft_threshold(np.array([-3.0, -1.0, 0.5, 2.0]), 1.0), [-2.0, 0.0, 0.0, 1.0])


@pytest.mark.parametrize("m", [None, 3])
def test_gap_is_zero_at_the_solution_and_bounds_the_error(m):
    lasso = problem(m=m)
    w = sklearn_solution(lasso)
    best, gap = lasso.certificate(w)
    assert gap < 1e-10
    rng = np.random.default_rng(1)
    for scale in (1e-3, 1e-1, 1.0):
        objective, gap = lasso.certificate(w + scale * rng.standard_normal(w.shape))
        assert best <= objective <= best + gap * lasso.null_objective * (1 + 1e-9)


def test_several_targets_are_a_sum_of_separate_problems():
    lasso = problem(m=3)
    w = np.random.default_rng(1).standard_normal(lasso.shape)
    parts = [LassoProblem(lasso.X, lasso.Y[:, t], lasso.alpha) for t in range(3)]
    assert lasso.objective(w) == pytest.approx(sum(part.objective(w[:, t]) for t, part in enumerate(parts)), rel=1e-12)
    gaps = [part.certificate(w[:, t])[1] * part.null_objective for t, part in enumerate(parts)]
    assert lasso.certificate(w)[1] * lasso.null_objective == pytest.approx(sum(gaps), rel=1e-9)


def test_zero_is_optimal_exactly_from_lambda_max_on():
    lasso = problem(ratio=1.0)
    assert lasso.certificate(np.zeros(lasso.shape))[1] < 1e-12
    below = LassoProblem(lasso.X, lasso.Y, 0.99 * lasso.alpha)
    assert below.certificate(np.zeros(lasso.shape))[1] > 1e-5


def test_closed_form_for_orthogonal_columns():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((30, 8)))[0] * np.sqrt(30)
    y = rng.standard_normal(30)
    for ratio in (0.2, 0.7):
        lasso = LassoProblem(X, y, ratio * lambda_max(X, y))
        assert lasso.certificate(orthogonal_solution(X, y, lasso.alpha))[1] < 1e-12


def test_sparse_single_precision_and_dense_agree():
    lasso = problem(n=30, p=60, ratio=0.2)
    w = sklearn_solution(lasso)
    reference = lasso.certificate(w)
    sparse = LassoProblem(scipy.sparse.csc_matrix(lasso.X), lasso.Y, lasso.alpha)
    np.testing.assert_allclose(sparse.certificate(w), reference, rtol=1e-9, atol=1e-12)
    single = LassoProblem(lasso.X.astype(np.float32), lasso.Y, lasso.alpha)
    np.testing.assert_allclose(single.certificate(w)[0], reference[0], rtol=1e-5)


def test_degenerate_problems_have_finite_certificates():
    X, y = np.ones((3, 2)), np.zeros(3)
    assert LassoProblem(X, y, 0.1).certificate(np.zeros(2)) == (0.0, 0.0)
    assert LassoProblem(0 * X, np.ones(3), 0.1).certificate(np.zeros(2))[1] == pytest.approx(0.0, abs=1e-15)
    objective, gap = LassoProblem(X, np.ones(3), 0.1).certificate(np.array([np.nan, 0.0]))
    assert not np.isfinite(objective) and gap == np.inf
