"""Masks: what is kept is the largest, ties and groups stay whole, and what is masked stays zero in training."""

import pytest
import torch
from torch import nn

from spred_bench.networks import masks
from spred_bench.training.optimizers import build


def scores() -> dict[str, torch.Tensor]:
    return {"a": torch.tensor([[5.0, 1.0], [0.0, 3.0]]), "b": torch.tensor([4.0, 2.0])}


@pytest.mark.parametrize(("n", "kept"), [(0, []), (1, [5]), (3, [5, 3, 4]), (5, [5, 1, 3, 4, 2]), (9, [5, 1, 3, 4, 2])])
def test_the_largest_weights_of_the_network_stay(n, kept):
    chosen = masks.keep_largest(scores(), n)
    assert torch.cat([scores()[name][mask] for name, mask in chosen.items()]).tolist() == kept


def test_a_compression_is_a_share_of_all_elements():
    weights = {"a": torch.rand(30, 30, generator=torch.Generator().manual_seed(0)), "b": torch.rand(100)}
    for ratio in (1, 3, 10, 300):
        kept = masks.compressed(weights, ratio)
        assert sum(int(mask.sum()) for mask in kept.values()) == round(1000 / ratio)


def test_elements_that_share_a_score_stay_or_go_together():
    groups = {"a": torch.tensor([3.0, 2.0, 1.0])[:, None].expand(3, 4)}
    assert masks.keep_largest(groups, 7)["a"].sum(1).tolist() == [4, 0, 0]
    assert masks.keep_largest(groups, 8)["a"].sum(1).tolist() == [4, 4, 0]


def test_above_is_strict_and_shuffling_keeps_densities():
    kept = masks.above(scores(), 3.0)
    assert kept["a"].tolist() == [[True, False], [False, False]] and kept["b"].tolist() == [True, False]
    large = {"a": torch.rand(40, 25, generator=torch.Generator().manual_seed(0)) < 0.1}
    moved = masks.shuffled(large, torch.Generator().manual_seed(1))["a"]
    assert moved.shape == (40, 25) and moved.sum() == large["a"].sum() and not torch.equal(moved, large["a"])


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_what_is_masked_stays_exactly_zero(kind):
    network = nn.Linear(6, 4)
    kept = {"weight": torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) < 0.5}
    masks.hold(network, kept)
    before = network.weight.detach().clone()
    optimizer = build(kind, [{"params": list(network.parameters()), "weight_decay": 0.1}], 0.1)
    for _ in range(5):
        optimizer.zero_grad()
        network(torch.rand(3, 6)).square().sum().backward()
        optimizer.step()
    assert torch.equal(network.weight != 0, kept["weight"])
    assert (network.weight != before)[kept["weight"]].all()
