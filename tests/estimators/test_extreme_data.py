"""Offsets, sizes and strengths at the ends of the range: the right values, or one warning with a true gap."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from spred_bench import SpredGroupLasso, SpredLasso


def data(n=100, p=8):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal(p) + 0.1 * rng.standard_normal(n)


@pytest.mark.parametrize("estimator", [SpredLasso, SpredGroupLasso])
def test_an_offset_of_x_and_y_changes_no_coefficient(estimator):
    X, y = data()
    expected = Lasso(alpha=0.1, tol=1e-12).fit(X, y).coef_
    np.testing.assert_allclose(estimator(alpha=0.1).fit(X + 1000, y + 1e9).coef_, expected, atol=1e-5)
    times = np.column_stack([X, 1.6e9 + 1e5 * X[:, 0] ** 2])
    expected = Lasso(alpha=0.1, tol=1e-12).fit(times - times.mean(0), y).coef_
    np.testing.assert_allclose(estimator(alpha=0.1).fit(times, y).coef_, expected, atol=1e-5)


@pytest.mark.parametrize("size", [1e-300, 1e-165, 1e155, 1e200, 1e300])
def test_targets_of_any_size_have_coefficients_in_proportion(size):
    X, y = data()
    expected = SpredLasso(0.1).fit(X, y).coef_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SpredLasso(0.1 * size).fit(X, y * size)
        _, coefs, gaps = SpredLasso.path(X, y * size, alphas=[0.1 * size])
    np.testing.assert_allclose(model.coef_ / size, expected, rtol=1e-12)
    assert not np.isnan(model.dual_gap_)
    assert (gaps <= 1e-6).all() and np.isfinite(coefs).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # no gap is resolved at 1e-201
def test_a_huge_target_leaves_the_others_as_they_are():
    X, y = data()
    model = SpredLasso(0.1).fit(X, np.stack([y, y * 1e200, np.zeros(100)], axis=1))
    np.testing.assert_allclose(model.coef_[0], SpredLasso(0.1).fit(X, y).coef_, rtol=1e-9)
    centred = X - X.mean(0)
    np.testing.assert_allclose(model.coef_[1] / 1e200, np.linalg.lstsq(centred, y - y.mean())[0], rtol=1e-9)
    assert not model.coef_[2].any()


def test_one_column_of_targets_has_scikit_learn_s_shapes():
    X, y = data()
    ours, reference = SpredLasso(0.1).fit(X, y[:, None]), Lasso(alpha=0.1).fit(X, y[:, None])
    assert ours.coef_.shape == reference.coef_.shape == (8,)
    assert np.shape(ours.intercept_) == np.shape(reference.intercept_)
    assert ours.predict(X).shape == reference.predict(X).shape
    np.testing.assert_allclose(ours.set_params(warm_start=True).fit(X, y[:, None]).coef_, reference.coef_, atol=1e-4)


@pytest.mark.parametrize("estimator", [SpredLasso, SpredGroupLasso])
def test_no_penalty_is_least_squares_on_ill_conditioned_columns(estimator):
    X = np.vander(np.linspace(0, 1, 30), 12)
    y = np.sin(9 * X[:, -2])
    centred = X - X.mean(0)
    best = y - y.mean() - centred @ np.linalg.lstsq(centred, y - y.mean())[0]
    model = estimator(alpha=0).fit(X, y)
    left = y - model.predict(X)
    assert left @ left <= (best @ best) * (1 + 1e-6)
    assert model.dual_gap_ <= 1e-12


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_gap_that_no_longer_falls_ends_the_group_lasso():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((16, 137)).astype(np.float32)
    y = X @ rng.standard_normal(137).astype(np.float32)
    assert SpredGroupLasso(1e-3, tol=1e-14, max_iter=1000).fit(X, y).n_iter_ < 50
    X = rng.standard_normal((60, 1)) + 1e-4 * rng.standard_normal((60, 100))
    y = X @ rng.standard_normal(100) + rng.standard_normal(60)
    model = SpredGroupLasso(1e-6, max_iter=1000).fit(X, y)
    assert model.n_iter_ < 50 and np.isfinite(model.coef_).all()


def test_a_strength_lost_in_rounding_warns_or_converges():
    X, y = data(20, 40)
    X = np.hstack([X, X])
    for alpha in (1e-18, 1e-300):
        for estimator in (SpredLasso, SpredGroupLasso):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always", ConvergenceWarning)
                model = estimator(alpha=alpha).fit(X, y)
            assert np.isfinite(model.coef_).all()
            assert seen or model.dual_gap_ <= 1e-6 * np.var(y)
