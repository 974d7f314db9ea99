"""Stability of selections, and intervals of a mean."""

from itertools import combinations

import numpy as np
import pytest

from spred_bench.reporting.tables.intervals import bootstrap, corrected
from spred_bench.reporting.tables.stability import jaccard, stability


def kuncheva(a, b, d):
    k = len(a)
    return (len(a & b) - k**2 / d) / (k - k**2 / d)


def test_equal_sizes_give_the_mean_of_kunchevas_index():
    rng = np.random.default_rng(0)
    sets = [set(rng.choice(12, 5, replace=False)) for _ in range(7)]
    expected = np.mean([kuncheva(a, b, 12) for a, b in combinations(sets, 2)])
    assert stability(sets, 12) == pytest.approx(expected, rel=1e-12)


def test_extremes():
    assert stability([{1, 2}] * 4, 10) == 1 and jaccard([{1, 2}] * 4) == 1
    assert jaccard([{1}, {2}]) == 0 and jaccard([{1, 2}, {2, 3}, {2}]) == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    rng = np.random.default_rng(1)
    random = [set(rng.choice(1000, rng.integers(5, 50), replace=False)) for _ in range(200)]
    assert stability(random, 1000) == pytest.approx(0, abs=0.01)
    for nothing in ([set(), set()], [{0, 1}, {0, 1}], [{1}]):
        assert np.isnan(stability(nothing, 2))
    assert np.isnan(jaccard([set(), set()]))


def test_bootstrap_covers_the_mean_at_its_level():
    rng = np.random.default_rng(0)
    intervals = [bootstrap(rng.normal(size=30)) for _ in range(200)]
    covered = np.mean([low < 0 < high for _, low, high in intervals])
    assert 0.88 <= covered <= 0.99
    assert all(low < mean < high for mean, low, high in intervals)
    values = rng.normal(size=20)
    low, high = corrected(values, 0.2)
    plain = 2.093 * values.std(ddof=1) / np.sqrt(20)  # 97.5 % of Student's t with 19 degrees of freedom
    assert (high - low) / 2 == pytest.approx(plain * np.sqrt(1 + 20 / 4), rel=1e-3)
    assert (high + low) / 2 == pytest.approx(values.mean()) and np.isnan(corrected([1.0], 0.2)[0])
    assert bootstrap([2.0])[0] == 2 and np.isnan(bootstrap([2.0])[1]) and np.isnan(bootstrap([])[0])
