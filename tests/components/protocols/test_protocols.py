"""Protocols: which pairs, divided how; the clean one never lets the test part touch what is fitted."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spred_bench.components import protocols
from spred_bench.components.data.expression import Source
from spred_bench.components.data.gds import Source as Gds
from spred_bench.components.data.genes import checked
from spred_bench.components.protocols import clean, paper
from spred_bench.errors import UserError


def expression(X=None, **factors):
    n = len(next(iter(factors.values())))
    X = np.random.default_rng(0).standard_normal((n, 6)) if X is None else X
    return checked("own", X, range(n), factors)


TWO_FACTORS = expression(disease=["ill"] * 6 + ["well"] * 4, age=["old", "young"] * 5)


def test_paper_takes_every_sample_once_per_factor():
    labelled = paper.Protocol().label(TWO_FACTORS)
    assert len(labelled.y) == 20 and labelled.classes == ["disease: ill", "disease: well", "age: old", "age: young"]
    assert np.bincount(labelled.rows).tolist() == [2] * 10 and np.bincount(labelled.y).tolist() == [6, 4, 5, 5]
    assert protocols.majority_rate(labelled) == 0.3 and protocols.ceiling(labelled) == 0.5
    sampling = paper.Protocol().sample(TWO_FACTORS, labelled, 0)
    assert (len(sampling.split.y_train), len(sampling.split.y_dev), len(sampling.y_test)) == (12, 4, 4)


def test_paper_scales_like_the_authors_before_the_split():
    X = np.arange(60.0).reshape(10, 6) ** 2
    X[0, 0] = np.nan
    data = expression(X, disease=["a"] * 5 + ["b"] * 5)
    protocol = paper.Protocol()
    labelled = protocol.label(data)
    sampling = protocol.sample(data, labelled, 0)
    found = np.concatenate([sampling.split.X_train, sampling.split.X_dev, sampling.X_test])
    filled = np.nan_to_num(X)
    expected = (filled - filled.mean(axis=0)) / filled.std()
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), rtol=1e-5, atol=1e-6)
    assert sampling.n_imputed == 1


def test_clean_takes_every_sample_once_and_stratifies():
    data = expression(disease=["a"] * 15 + ["b"] * 10 + ["c"] * 3 + [""] * 2)
    labelled = clean.Protocol().label(data)
    assert labelled.rows.tolist() == list(range(28)) and protocols.ceiling(labelled) == 1
    for seed in range(5):
        train, dev, test = clean.divide(labelled.y, np.random.default_rng(seed))
        assert sorted([*train, *dev, *test]) == list(range(28))
        counts = [np.bincount(labelled.y[part]).tolist() for part in (train, dev, test)]
        assert counts == [[9, 6, 1], [3, 2, 1], [3, 2, 1]]


def test_clean_scales_by_the_training_part():
    data = Source(n_samples=60, n_features=20).load(0)
    data.X[0, 3] = np.nan
    protocol = clean.Protocol()
    sampling = protocol.sample(data, protocol.label(data), 0)
    np.testing.assert_allclose(sampling.split.X_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(sampling.split.X_train.std(axis=0), 1, rtol=1e-5)
    assert abs(sampling.X_test.mean(axis=0)).max() > 0.05 and sampling.n_imputed == 1 and not sampling.log


def perturbed_split(seed=0):
    """Training and dev part twice: as they are, and after the test samples were multiplied, shifted and lost."""
    data = Source(n_samples=40, n_features=25).load(0)
    protocol = clean.Protocol()
    labelled = protocol.label(data)
    _, _, test = clean.divide(labelled.y, np.random.default_rng([seed, 4]))
    X = data.X.copy()
    X[test] = 1e4 * X[test] + 50
    X[test[0], :5] = np.nan
    return [protocol.sample(changed, labelled, seed).split for changed in (data, replace(data, X=X))]


def test_what_the_test_part_holds_changes_nothing_of_the_others():
    for before, after in zip(*perturbed_split(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["standardise", "needs_logarithm"])
def test_that_test_notices_a_scaling_that_has_seen_the_test_part(name, monkeypatch):
    honest, seen = getattr(clean, name), []
    divide = clean.divide
    if name == "standardise":
        monkeypatch.setattr(clean, name, lambda X, train: honest(X, np.arange(len(X))))
    else:
        whole = clean.Protocol.sample

        def sample(self, data, labelled, seed):
            seen.append(data.X)
            return whole(self, data, labelled, seed)

        monkeypatch.setattr(clean.Protocol, "sample", sample)
        monkeypatch.setattr(clean, name, lambda X: honest(seen[-1]))
    assert clean.divide is divide
    before, after = perturbed_split()
    assert not np.array_equal(before.X_train, after.X_train)


def test_logarithms_are_taken_of_intensities_only():
    rng = np.random.default_rng(0)
    logs = rng.normal(8, 2, (20, 50)).astype(np.float32)
    assert not clean.needs_logarithm(logs) and not clean.needs_logarithm(logs - 8)
    assert clean.needs_logarithm(2**logs)
    data = expression(np.where(logs > 13, 0.1, 2**logs)[:10], disease=["a", "b"] * 5)
    protocol = clean.Protocol()
    sampling = protocol.sample(data, protocol.label(data), 0)
    assert sampling.log and np.isfinite(sampling.X_test).all()


def test_missing_values_become_training_medians():
    X = np.array([[1.0, 2, 5], [3, np.nan, 5], [5, np.nan, 5], [np.nan, 7, 9]])
    clean.standardise(X, np.array([0, 1, 2]))
    assert X[3, 0] == pytest.approx(0) and X[0, 0] == pytest.approx(-np.sqrt(1.5))
    assert (X[:, 1:] == 0).all()


@pytest.mark.parametrize(
    ("factors", "parameters", "message"),
    [
        ({"f": ["a"] * 9 + ["b"]}, {}, r"factor 'f', class 'b': 1 of 10 samples.*needs 3; .*exclude=\['b'\]"),
        ({"f": ["a"] * 9}, {}, "factor 'f' has one value, a"),
        ({"f": ["a", "b", "b"]}, {}, "factor 'f', class 'a': 1 of 3 samples"),
        ({"f": ["a", "b"] * 5, "g": ["c"] * 5 + ["d"] * 5}, {}, r"several.*'f' \(a 5, b 5\) and 'g' \(c 5, d 5\)"),
        ({"f": ["a", "b"] * 5}, {"factor": "h"}, "clean.factor=h: no such factor; there are 'f'"),
        ({"f": ["a", "b"] * 5, "g": ["c"] * 10}, {"factor": "g"}, "factor 'g' has one value, c"),
    ],
)
def test_labels_that_cannot_serve_are_one_line(factors, parameters, message):
    with pytest.raises(UserError, match=message) as caught:
        clean.Protocol(**parameters).label(expression(**factors))
    assert "\n" not in str(caught.value)


def test_the_factor_is_the_only_fit_one_or_the_first_wanted():
    data = expression(f=["a", "b"] * 5, g=["c"] * 5 + ["d"] * 5, h=[str(i) for i in range(10)])
    assert clean.Protocol(factor="g").label(data).factor == "g"
    assert clean.Protocol(factor=["h", "none", "g", "f"]).label(data).factor == "g"
    small = expression(f=["a", "b"] * 5 + ["c"], h=[str(i) for i in range(11)])
    labelled = clean.Protocol(exclude=["c"]).label(small)
    assert labelled.factor == "f" and labelled.classes == ["a", "b"] and len(labelled.y) == 10


def test_names_that_no_data_set_has_are_one_line():
    datasets = [TWO_FACTORS, expression(Y=["1", "2"] * 5)]
    for parameters, message in (
        ({"factor": ["diseases", "Z"]}, r"clean.factor=\['diseases', 'Z'\]: no data .* did you mean 'disease'\?"),
        (
            {"exclude": ["ill", "typo"]},
            r"clean.exclude=\['ill', 'typo'\]: .* 'typo'; known: 1, 2, ill, old, well, young",
        ),
        ({"factor": "age", "exclude": ["ill"]}, "no data set has the class 'ill'; known: old, young"),
    ):
        with pytest.raises(UserError, match=message):
            clean.Protocol(**parameters).check(datasets)
    for parameters in ({"factor": ["age", "Z"], "exclude": ["old"]}, {"factor": [], "exclude": ["2", "ill"]}):
        clean.Protocol(**parameters).check(datasets)


def test_three_samples_are_too_few_for_the_paper_too():
    with pytest.raises(UserError, match="3 pairs of sample and label; 60/20/20 needs at least 5"):
        paper.Protocol().label(expression(f=["a", "b", "b"]))


@pytest.mark.skipif("SPRED_DATA_DIR" not in os.environ, reason="SPRED_DATA_DIR names no folder with geo/GDS507")
def test_pairs_of_the_real_gds507():
    source = Gds(data_dir=Path(os.environ["SPRED_DATA_DIR"]))
    if source._found is None:
        pytest.skip("no GDS507 there")
    data = source.load(0)
    pairs = paper.Protocol().label(data)
    assert len(pairs.y) == 34 and len(pairs.classes) == 12 and protocols.ceiling(pairs) == 0.5
    assert protocols.majority_rate(pairs) == 9 / 34
    labelled = clean.Protocol().label(data)
    assert labelled.factor == "disease state" and np.bincount(labelled.y).tolist() == [9, 8]
    assert clean.Protocol().sample(data, labelled, 0).log
