"""Counts on hand-made weights are exact, on effective weights, at the threshold that was named."""

import math

import pytest
import torch
from torch import nn

from spred_bench.networks import sparsity
from spred_bench.redundancy import factors_of, reparametrize

# Four nodes: alive, outgoing weights dead by the mean, incoming zero, both zero.
INCOMING = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
OUTGOING = torch.tensor([[0.6, 5e-5, 1.0, 0.0], [-0.8, -1.4e-4, 1.0, 0.0], [0.0, 0.9e-4, 1.0, 0.0]])


def test_dead_nodes_by_the_mean_magnitude_of_their_column():
    assert sparsity.dead_nodes(OUTGOING, 1e-4).tolist() == [False, True, False, True]
    assert sparsity.dead_nodes(OUTGOING, 1e-5).tolist() == [False, False, False, True]


def test_strengths_are_products_of_norms():
    strengths = sparsity.node_strengths(INCOMING, OUTGOING)
    torch.testing.assert_close(strengths[0], torch.tensor(5.0))
    scale = torch.tensor([8.0, 0.25, 2.0, 1.0])
    rescaled = sparsity.node_strengths(INCOMING * scale[:, None], OUTGOING / scale)
    torch.testing.assert_close(rescaled, strengths)


def test_scale_free_count_is_relative_to_the_strongest_node():
    dead = sparsity.dead_nodes_relative(INCOMING, OUTGOING, ratio=1e-3, floor=1e-8)
    assert dead.tolist() == [False, True, True, True]
    tiny = sparsity.dead_nodes_relative(INCOMING * 1e-3, OUTGOING * 1e-3, ratio=1e-3, floor=1e-8)
    assert tiny.tolist() == dead.tolist()
    assert sparsity.dead_nodes_relative(INCOMING * 1e-6, OUTGOING * 1e-6, ratio=1e-3, floor=1e-8).all()


def test_zeros_and_ratio_of_hand_made_tensors():
    weights = [torch.tensor([[1.0, 1e-6, 0.0], [0.0, -1e-3, 2.0]]), torch.tensor([0.5, -1e-6])]
    assert sparsity.n_zeros(weights, 0.0) == 2
    assert sparsity.n_zeros(weights, 1e-5) == 4
    assert sparsity.weight_sparsity(weights, 1e-5) == 0.5
    assert sparsity.compression_ratio(weights, 1e-5) == 2.0
    assert math.isinf(sparsity.compression_ratio(weights, 2.0))


def test_products_count_not_their_factors():
    model = nn.Linear(3, 2)
    reparametrize(model, "weight")
    with torch.no_grad():
        u, v = factors_of(model)["weight"]
        u.fill_(1e-3)
        v.fill_(1e-3)
        v[0, 0] = 1.0
    weights = sparsity.weights_of(model)
    assert list(weights) == ["weight"]
    assert sparsity.n_zeros(weights.values(), 1e-4) == 5
    assert sparsity.n_zeros([u, v], 1e-4) == 0
    assert sparsity.n_parameters(model) == 8


@pytest.mark.parametrize("n", [3, 50])
def test_effective_rank_of_equal_directions_is_their_number(n):
    orthogonal = torch.linalg.qr(torch.randn(n, 3, generator=torch.Generator().manual_seed(0))).Q
    assert sparsity.effective_rank(orthogonal) == pytest.approx(3.0, abs=1e-4)
    assert sparsity.effective_rank(orthogonal[:, :1] @ torch.ones(1, 3)) == pytest.approx(1.0, abs=1e-4)
    assert sparsity.effective_rank(torch.zeros(n, 3)) == 0.0
    assert sparsity.effective_rank(torch.zeros(n, 0)) == 0.0
