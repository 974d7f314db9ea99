"""What every selector must do, tried on all of them: a new file is covered the day it is added."""

import math
import sys

import numpy as np
import pytest

from spred_bench.components import contract
from spred_bench.components.selectors import Split
from spred_bench.errors import Skip
from spred_bench.running import composition, listing

SELECTORS = listing.groups()["selector"]


def selector(name: str, scale: str = "smoke"):
    """The component as a task at this scale gets it."""
    specs = composition.resolved(["task=landscape", f"+selector@selector={name}", f"scale={scale}"])["selector"]
    return next(iter(contract.build_group("selector", specs).values()))


def planted(n=60, d=40, n_informative=3, n_classes=3, seed=0, shift=2.0) -> Split:
    """Gaussian features, of which the first few have class means of their own; two thirds of the rows for training."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.standard_normal((n, d))
    X[:, :n_informative] += shift * rng.standard_normal((n_classes, n_informative))[y]
    X, y, cut = X.astype(np.float32), y.astype(np.int64), 2 * n // 3
    return Split(X[:cut], y[:cut], X[cut:], y[cut:])


def select(name: str, split: Split, n_classes: int = 3):
    chosen = selector(name)
    try:
        chosen.check()
    except Skip as reason:
        pytest.skip(str(reason))
    return chosen.select(split, n_classes, 0, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", SELECTORS)
def test_selections_say_what_they_claim(name):
    split = planted()
    found = select(name, split)
    assert found
    for point in found:
        assert point.features.dtype == np.int64 and point.features.ndim == 1
        assert len(set(point.features.tolist())) == len(point.features)
        assert set(point.features.tolist()) <= set(range(split.X_train.shape[1]))
        answers = point.predict(split.X_dev)
        assert answers.shape == split.y_dev.shape and set(answers.tolist()) <= {0, 1, 2}
        assert point.dev_accuracy == np.mean(answers == split.y_dev) and point.dev_loss > 0
    best = max(found, key=lambda point: point.dev_accuracy)
    assert best.dev_accuracy > (0.5 if name != "majority" else 0.2)
    assert best.dev_loss < np.log(3) + 0.1, "no better than to know nothing"


@pytest.mark.slow
@pytest.mark.parametrize("name", SELECTORS)
def test_predictions_depend_on_the_selected_features_alone(name):
    split = planted()
    for point in select(name, split):
        others = np.setdiff1d(np.arange(split.X_dev.shape[1]), point.features)
        changed = split.X_dev.copy()
        changed[:, others] = 1e3
        np.testing.assert_array_equal(point.predict(changed), point.predict(split.X_dev))


@pytest.mark.slow
@pytest.mark.parametrize("name", SELECTORS)
def test_selections_are_reproducible(name):
    first, second = (select(name, planted()) for _ in range(2))
    assert [point.settings for point in first] == [point.settings for point in second]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        assert one.dev_accuracy == other.dev_accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", SELECTORS)
def test_the_tuning_budget_is_the_same_for_all(name):
    if name == "majority":
        assert len(select(name, planted())) == 1
        return
    budgets = {scale: _n_points(selector(name, scale)) for scale in ("cpu", "paper")}
    assert budgets == {"cpu": 12, "paper": 49}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("l1_logistic", {"largest_ratio": 1.1}),
        ("spred_linear", {"smallest_ratio": 0.96}),
        ("lassonet", {"smallest_ratio": 3.0, "largest_ratio": 2.0}),
    ],
)
def test_a_path_that_would_run_backwards_is_refused(name, settings):
    with pytest.raises(ValueError, match=r"_ratio"):
        type(selector(name))(**settings)


def _n_points(chosen) -> int:
    """Points of a grid: its `n_points`, or the product of the lists that are tuned over."""
    lists = [getattr(chosen, name) for name in ("n_features", "C", "kappas", "learning_rates") if hasattr(chosen, name)]
    return getattr(chosen, "n_points", 1) * math.prod(len(values) for values in lists)


@pytest.mark.parametrize(("name", "module"), [("hsic_lasso", "pyHSICLasso"), ("lassonet", "lassonet")])
def test_a_missing_package_is_named_with_its_command(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Skip, match=r"not installed.*pip install 'spred-bench\[genes\]'"):
        selector(name).check()
