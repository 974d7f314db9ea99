"""Histograms of magnitudes: nothing is lost at either end."""

import numpy as np
import pytest
import torch

from spred_bench.experiments.decades import counts_by_decade


def test_every_magnitude_is_counted_once():
    counts = dict(counts_by_decade(torch.tensor([1.0, 0.0, 1e-3, 1e3, 1.1]), -10, 2))
    assert sum(counts.values()) == 5
    assert counts[1.0] == 2 and counts[1e-10] == 1 and max(counts) == pytest.approx(10**1.75)


def test_bins_are_a_quarter_of_a_decade_wide():
    edges = [edge for edge, _ in counts_by_decade(torch.logspace(-5.9, 0.9, 500), -6.25, 1)]
    np.testing.assert_allclose(np.log10(edges), np.arange(-6, 1, 0.25), atol=1e-9)
