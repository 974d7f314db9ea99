"""The linear path against independent solvers, its certificate, and recovery of planted features."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from spred_bench.components.selectors.l1_logistic import _L1
from spred_bench.lasso.second_order.feature_path import FeaturePath
from spred_bench.lasso.second_order.softmax import Softmax


def planted(n=90, d=60, n_informative=4, n_classes=3, seed=0, shift=1.5, dtype=np.float64):
    """Standardised Gaussian features, the first few with class means; labels."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    X = rng.standard_normal((n, d))
    X[:, :n_informative] += shift * rng.standard_normal((n_classes, n_informative))[y]
    return ((X - X.mean(0)) / X.std(0)).astype(dtype), y


def objective(X, y, coef, intercept, kappa) -> float:
    """Mean cross entropy + 2 kappa sum_j |V_j|, written down anew; coef (d, C)."""
    logits = X @ coef + intercept
    logits = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    return losses.mean() + 2 * kappa * np.linalg.norm(coef, axis=1).sum()


def full(point, d) -> np.ndarray:
    coef = np.zeros((d, point.coef.shape[1]))
    coef[point.features] = point.coef
    return coef


def proximal_gradient(X, y, n_classes, kappa, intercept, steps=20_000):
    """(coef, intercept) by FISTA with restarts: slow, and of another kind."""
    n, d = X.shape
    Y = np.eye(n_classes)[y]
    A = np.hstack([X, np.ones((n, 1))]) if intercept else X
    step = 2 * n / np.linalg.norm(A, 2) ** 2
    V = previous = np.zeros((A.shape[1], n_classes))
    t = 1.0
    for _ in range(steps):
        after = (1 + np.sqrt(1 + 4 * t * t)) / 2
        Z = V + (t - 1) / after * (V - previous)
        P = np.exp(A @ Z - (A @ Z).max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        new = Z - step * A.T @ (P - Y) / n
        norms = np.maximum(np.linalg.norm(new[:d], axis=1, keepdims=True), 1e-300)
        new[:d] *= np.maximum(0, 1 - 2 * kappa * step / norms)
        t = 1.0 if np.vdot(Z - new, new - V) > 0 else after
        previous, V = V, new
        if np.abs(V - previous).max() < 1e-13:
            break
    return V[:d], V[d] if intercept else np.zeros(n_classes)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_path_agrees_with_proximal_gradient(n_classes, intercept):
    X, y = planted(n_classes=n_classes)
    path = FeaturePath(X, y, n_classes, intercept=intercept, tol=1e-8)
    for ratio in (0.7, 0.2, 0.05):
        point = path.at(ratio * path.kappa_max)
        reference = proximal_gradient(X, y, n_classes, point.kappa, intercept)
        mine, best = (
            objective(X, y, full(point, 60), point.intercept, point.kappa),
            objective(X, y, *reference, point.kappa),
        )
        assert abs(mine - best) <= 1e-9 * best
        assert set(point.features) == set(np.flatnonzero(np.linalg.norm(reference[0], axis=1) > 1e-9))
        np.testing.assert_allclose(full(point, 60), reference[0], atol=1e-5)


def test_two_classes_are_scikit_learn_s_l1_logistic():
    X, y = planted(n_classes=2)
    path = FeaturePath(X, y, 2, tol=1e-8)
    for ratio in (0.5, 0.1):
        kappa = ratio * path.kappa_max
        # Logits v and -v are one logit 2 v, and 2 kappa |(v, -v)| is sqrt(2) kappa |2 v|.
        penalty = {"C": 1 / (len(y) * np.sqrt(2) * kappa), **_L1}
        reference = LogisticRegression(solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=10_000, **penalty)
        reference.fit(X, y)
        coef = full(path.at(kappa), 60)
        np.testing.assert_allclose(coef[:, 1] - coef[:, 0], reference.coef_[0], atol=1e-5)


def test_every_point_certifies_itself_and_masks_are_exactly_zero():
    X, y = planted(n=60, d=500, seed=3)
    path = FeaturePath(X, y, 3, tol=1e-7)
    assert len(path.at(1.001 * path.kappa_max).features) == 0
    sizes = []
    for kappa in path.kappa_max * np.geomspace(0.99, 0.01, 10):
        point = path.at(kappa)
        coef = full(point, 500)
        P = np.exp(X @ coef) / np.exp(X @ coef).sum(axis=1, keepdims=True)
        gradient = X.T @ (P - np.eye(3)[y]) / len(y)
        norms, pull = np.linalg.norm(coef, axis=1), np.linalg.norm(gradient, axis=1)
        assert pull[norms == 0].max() <= 2 * kappa * (1 + 1e-6)
        alive = norms > 0
        balance = gradient[alive] + 2 * kappa * coef[alive] / norms[alive, None]
        assert np.linalg.norm(balance, axis=1).max(initial=0.0) <= 1e-6 * 2 * kappa
        assert point.residual <= 1e-6 and np.count_nonzero(norms) == len(point.features)
        assert np.all(np.diff(np.linalg.norm(point.coef, axis=1)) <= 0)
        sizes.append(len(point.features))
    assert sizes[0] >= 1 and sizes[-1] > sizes[0]


def test_the_answer_does_not_depend_on_where_the_path_began():
    X, y = planted(n=60, d=300, seed=1)
    direct = FeaturePath(X, y, 3, tol=1e-8)
    walked = FeaturePath(X, y, 3, tol=1e-8)
    for ratio in (0.9, 0.5, 0.3, 0.1):
        end = walked.at(ratio * walked.kappa_max)
    np.testing.assert_allclose(full(direct.at(end.kappa), 300), full(end, 300), atol=1e-6)


@pytest.mark.parametrize("intercept", [False, True])
def test_going_back_up_everything_dies_again(intercept):
    X, y = planted(n=60, d=300, n_classes=3, seed=1)
    path = FeaturePath(X, y, 3, intercept=intercept)
    assert len(path.at(0.1 * path.kappa_max).features) > 5
    top = path.at(1.01 * path.kappa_max)
    assert len(top.features) == 0 and top.residual <= 1e-5
    np.testing.assert_allclose(top.intercept, 0, atol=1e-5)  # the classes are equally frequent


def test_twin_features_share_the_weight():
    X, y = planted()
    X = np.hstack([X, X[:, :1]])
    path = FeaturePath(X, y, 3)
    point = path.at(0.2 * path.kappa_max)
    assert point.residual <= 1e-5
    assert {0, 60} & set(point.features)


def test_three_factors_select_fewer_and_are_a_stationary_point():
    X, y = planted(n=60, d=300, seed=2)
    shallow, deep = FeaturePath(X, y, 3), FeaturePath(X, y, 3, depth=3, tol=1e-7)
    for ratio in (0.1, 0.02):
        kappa = ratio * shallow.kappa_max
        few, more = deep.at(kappa), shallow.at(kappa)
        assert set(few.features) < set(more.features)
        assert len(few.features) and few.residual < 1e-4
        # No descent on the living features by an optimizer that knows nothing of factors.
        loss = Softmax(y, 3)

        def value(v, few=few, loss=loss, kappa=kappa):
            V = v.reshape(-1, 2)
            return loss.value(X[:, few.features] @ V)[0] + 3 * kappa * np.sum(np.linalg.norm(V, axis=1) ** (2 / 3))

        start = (few.coef @ loss.basis).ravel()
        assert minimize(value, start, method="Nelder-Mead", options={"maxiter": 300}).fun >= value(start) - 1e-7


def test_planted_features_are_recovered_among_twenty_thousand():
    X, y = planted(n=120, d=20_000, n_informative=5, seed=5, shift=2.5, dtype=np.float32)
    path = FeaturePath(X, y, 3)
    point = path.at(0.4 * path.kappa_max)
    found = set(point.features.tolist())
    assert len(found & set(range(5))) / 5 >= 0.8, found
    assert len(found & set(range(5))) / len(found) >= 0.8, found
