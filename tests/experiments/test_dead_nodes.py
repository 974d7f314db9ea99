"""Networks of one hidden layer by hand: what is a dead node, and what is left without them."""

import copy

import pytest
import torch

from spred_bench.components.models.mlp import ACTIVATIONS, Mlp
from spred_bench.experiments import nodes
from spred_bench.experiments.nodes import Criteria
from spred_bench.networks import sparsity

CRITERIA = Criteria(1e-4, 1e-3, [1e-4])


def hand_made(bias: str, activation: str = "relu") -> tuple[Mlp, torch.Tensor]:
    """Six nodes: 1 and 4 dead by their outgoing weights, 2 without incoming weights; and the mask of the first two."""
    network = Mlp(4, 6, 3, activation, bias, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.output.weight[:, 1] = torch.tensor([1e-4, -1e-4, 0.9e-4])
        network.output.weight[:, 4] = 0.0
        network.hidden.weight[2] = 0.0
    return network, torch.tensor([False, True, False, False, True, False])


@pytest.mark.parametrize("bias", ["input", "usual", "none"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_network_without_dead_nodes_says_the_same(bias, activation):
    network, dead = hand_made(bias, activation)
    assert torch.equal(sparsity.dead_nodes(network.output.weight, 1e-4), dead)
    before = copy.deepcopy(network.state_dict())
    silenced = nodes.silence(network, dead)
    small = nodes.remove_silent(silenced)
    images = 10 * torch.rand(50, 2, 2, generator=torch.Generator().manual_seed(1))
    assert small.hidden.weight.shape[0] == 3 and small.output.weight.shape == (3, 3)
    torch.testing.assert_close(small(images), silenced(images), rtol=0, atol=1e-6)
    assert sparsity.n_parameters(small) < sparsity.n_parameters(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("bias", ["input", "usual"])
def test_a_network_that_lost_all_nodes_still_answers(bias):
    network, _ = hand_made(bias)
    small = nodes.remove_silent(nodes.silence(network, torch.ones(6, dtype=torch.bool)))
    expected = 0.0 if network.output.bias is None else network.output.bias
    torch.testing.assert_close(small(torch.rand(2, 4)), torch.zeros(2, 3) + expected)
