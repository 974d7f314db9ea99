"""SGD on Eq. (8): compaction changes nothing but the cost, zeros are exact, and the answer is the convex problem's."""

import numpy as np
import pytest
from test_selectors import planted

from spred_bench.components.selectors.mlp import Selector as Mlp
from spred_bench.components.selectors.spred_sgd import Selector
from spred_bench.estimators import joint_training
from spred_bench.lasso.second_order.feature_path import FeaturePath


def train(split, **options):
    settings = {"hidden": [], "kappas": [0.08], "learning_rates": [0.2], "max_steps": 400, **options}
    (point,) = Selector(**settings).select(split, 3, 0, "cpu")
    return point


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [[], [8, 8]])
def test_compaction_changes_nothing_but_the_cost(hidden, monkeypatch):
    split = planted(n=45, d=150, shift=3.0)
    cuts = []
    monkeypatch.setattr(joint_training, "cut_inputs", _counting(joint_training.cut_inputs, cuts))
    compact, whole = (train(split, hidden=hidden, compact_every=every, max_steps=800) for every in (20, 0))
    assert len(cuts) >= 2 and min(cuts) < 100
    np.testing.assert_array_equal(np.sort(compact.features), np.sort(whole.features))
    np.testing.assert_array_equal(compact.predict(split.X_dev), whole.predict(split.X_dev))
    losses = [[loss for _, loss, _ in point.curve] for point in (compact, whole)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def _counting(cut, sizes):
    def counted(network, layer, optimizer, kept):
        sizes.append(len(kept))
        cut(network, layer, optimizer, kept)

    return counted


def test_sgd_comes_to_the_solution_of_the_path():
    split = planted(n=60, d=100, shift=3.0, seed=1)
    point = train(split, max_steps=1500)
    exact = FeaturePath(split.X_train, split.y_train, 3).at(0.08)
    assert 0 < len(point.features) < 30
    np.testing.assert_array_equal(np.sort(point.features), np.sort(exact.features))
    np.testing.assert_array_equal(point.predict(split.X_dev), exact.decide(split.X_dev).argmax(axis=1))


def test_early_stopping_keeps_the_latest_of_the_best():
    point = train(planted(n=60, d=60), patience=40, kappas=[0.02])
    steps, _, accuracies = zip(*point.curve, strict=True)
    assert point.dev_accuracy == pytest.approx(max(accuracies))
    last_best = max(step for step, accuracy in zip(steps, accuracies, strict=True) if accuracy == max(accuracies))
    assert steps[-1] == min(last_best + 40, 400)


def test_subgradients_of_l1_select_everything():
    split = planted(d=30)
    settings = {"hidden": 8, "kappas": [0.02], "learning_rates": [0.1], "max_steps": 200, "patience": None}
    (point,) = Mlp(penalty="l1", **settings).select(split, 3, 0, "cpu")
    assert len(point.features) == 30
    assert train(split, kappas=[0.05]).features.size < 30
