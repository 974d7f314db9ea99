"""The scikit-learn estimators: their contract, and agreement with independent solvers."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, MultiTaskLasso
from sklearn.utils.estimator_checks import parametrize_with_checks

from spred_bench import SpredGroupLasso, SpredLasso


@parametrize_with_checks([SpredLasso(alpha=0.1), SpredGroupLasso(alpha=0.1, groups=2)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)
    assert estimator is not None


def data(n=50, p=30, m=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal(p)
    W = rng.standard_normal((p, m or 1)) * (rng.random((p, m or 1)) < 0.3)
    Y = X @ W + 0.5 * rng.standard_normal((n, m or 1)) + 3
    return X, (Y[:, 0] if m is None else Y)


def objective(model, X, y, weight=None):
    weight = np.ones(len(y)) if weight is None else weight
    squares = ((y - model.predict(X)) ** 2).T @ weight
    return np.sum(squares) / (2 * weight.sum()) + model.alpha * np.abs(model.coef_).sum()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("m", [None, 3])
@pytest.mark.parametrize("kind", ["dense", "float32", "csr", "csc"])
@pytest.mark.parametrize("shape", [(50, 30), (20, 60)])
def test_lasso_agrees_with_scikit_learn(kind, m, intercept, shape):
    X, y = data(*shape, m)
    reference = Lasso(alpha=0.2, fit_intercept=intercept, tol=1e-12, max_iter=100_000).fit(X, y)
    given = {"dense": X, "float32": X.astype(np.float32)}.get(kind)
    given = getattr(scipy.sparse, f"{kind}_matrix")(X) if given is None else given
    single = kind == "float32"
    ours = SpredLasso(alpha=0.2, fit_intercept=intercept, tol=1e-6 if single else 1e-10).fit(given, y)
    assert ours.coef_.shape == reference.coef_.shape
    tolerance = 1e-3 if single else 1e-6
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=tolerance)
    np.testing.assert_allclose(ours.intercept_, reference.intercept_, atol=10 * tolerance)
    assert objective(ours, X, y) <= objective(reference, X, y) * (1 + tolerance)


def test_weights_agree_with_scikit_learn_and_with_repetition():
    X, y = data()
    weight = np.random.default_rng(1).integers(0, 4, len(y)).astype(float)
    ours = SpredLasso(alpha=0.1, tol=1e-12).fit(X, y, sample_weight=weight)
    reference = Lasso(alpha=0.1, tol=1e-12, max_iter=100_000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=1e-7)
    repeated = SpredLasso(alpha=0.1, tol=1e-12).fit(
        np.repeat(X, weight.astype(int), 0), np.repeat(y, weight.astype(int))
    )
    np.testing.assert_allclose(ours.coef_, repeated.coef_, atol=1e-7)


@pytest.mark.slow
def test_path_agrees_with_single_fits():
    X, y = data()
    alphas, coefs, gaps = SpredLasso.path(X, y, n_alphas=7, tol=1e-10)
    assert alphas.shape == (7,) and coefs.shape == (30, 7) and (gaps <= 1e-10).all()
    for alpha, coef in zip(alphas, coefs.T, strict=True):
        single = SpredLasso(alpha=alpha, fit_intercept=False, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(coef, single.coef_, atol=1e-6)


def test_warm_start_gives_the_same_answer_in_no_more_rounds():
    X, y = data(40, 200)
    model = SpredLasso(alpha=0.05, warm_start=True, tol=1e-9).fit(X, y)
    first, rounds = model.coef_.copy(), model.n_iter_
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, first, atol=1e-7)
    assert model.n_iter_ <= rounds


def test_dual_gap_bounds_the_error_of_the_objective():
    X, y = data()
    exact = Lasso(alpha=0.2, tol=1e-14, max_iter=100_000).fit(X, y)
    loose = SpredLasso(alpha=0.2, tol=1e-2).fit(X, y)
    assert objective(loose, X, y) - objective(exact, X, y) <= loose.dual_gap_ + 1e-9
    assert loose.dual_gap_ <= 1e-2 * np.var(y) / 2 * (1 + 1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_groups_of_one_are_the_multi_task_lasso(intercept):
    X, y = data(m=3)
    ours = SpredGroupLasso(alpha=0.3, fit_intercept=intercept, tol=1e-10).fit(X, y)
    reference = MultiTaskLasso(alpha=0.3, fit_intercept=intercept, tol=1e-12, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, reference.coef_, atol=1e-5)
    np.testing.assert_array_equal(ours.coef_ != 0, np.abs(reference.coef_) > 1e-9)


def group_objective(W, X, y, alpha, groups, weights):
    residual = y - y.mean() - (X - X.mean(0)) @ W
    return residual @ residual / (2 * len(y)) + alpha * sum(
        c * np.linalg.norm(W[g]) for g, c in zip(groups, weights, strict=True)
    )


def proximal_gradient(X, y, alpha, groups, weights, steps=20_000):
    """Accelerated block soft-thresholding: slow, and nothing in common with ours."""
    X, y, n = X - X.mean(0), y - y.mean(), len(y)
    rate = n / np.linalg.norm(X, 2) ** 2
    w = z = np.zeros(X.shape[1])
    t = 1.0
    for _ in range(steps):
        new = z - rate * X.T @ (X @ z - y) / n
        for g, c in zip(groups, weights, strict=True):
            norm = np.linalg.norm(new[g])
            new[g] *= max(0.0, 1 - rate * alpha * c / norm) if norm > 0 else 0.0
        following = (1 + np.sqrt(1 + 4 * t * t)) / 2
        z = new + (t - 1) / following * (new - w)
        w, t = new, following
    return w


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, "sqrt"])
@pytest.mark.parametrize("alpha", [0.02, 0.5])
def test_group_lasso_agrees_with_proximal_gradient(alpha, weights):
    X, y = data(40, 60)
    labels = np.random.default_rng(2).integers(0, 15, 60)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    values = np.ones(len(groups)) if weights is None else np.sqrt([len(g) for g in groups])
    ours = SpredGroupLasso(alpha=alpha, groups=labels, group_weights=weights, tol=1e-9).fit(X, y)
    other = proximal_gradient(X, y, alpha, groups, values)
    best = group_objective(other, X, y, alpha, groups, values)
    assert group_objective(ours.coef_, X, y, alpha, groups, values) <= best * (1 + 1e-7)
    dead = [not ours.coef_[g].any() for g in groups]
    assert dead == [np.linalg.norm(other[g]) < 1e-6 for g in groups]
    assert alpha < 0.1 or any(dead)


def test_group_lasso_keeps_sparse_input_sparse(monkeypatch):
    X, y = data()
    X[np.random.default_rng(0).random(X.shape) < 0.7] = 0
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_matrix):
        dense = SpredGroupLasso(alpha=0.1, groups=5, tol=1e-10).fit(X, y)
        sparse = SpredGroupLasso(alpha=0.1, groups=5, tol=1e-10).fit(kind(X), y)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1}, "alpha=-1"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"groups": 0}, "groups=0"),
        ({"groups": [0, 1]}, "30 labels"),
        ({"group_weights": [1.0]}, "group_weights"),
        ({"group_weights": "sqr"}, "group_weights='sqr': expected None, 'sqrt', or"),
        ({"max_iter": 0}, "max_iter=0"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        SpredGroupLasso(**options).fit(X, y)


def test_not_converging_is_said():
    X, y = data(20, 60)
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        model = SpredGroupLasso(alpha=1e-3, max_iter=1, tol=1e-12).fit(X, y)
    assert model.coef_.any() and model.n_iter_ == 1
