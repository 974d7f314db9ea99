"""The time of a forward pass: every network is timed, and none is changed by it."""

import torch

from spred_bench.components.models import resnet9
from spred_bench.networks.latency import latencies


def test_latencies_leave_the_networks_in_their_mode():
    network = resnet9.Model(width=2).build((3, 8, 8), 5, torch.Generator().manual_seed(0)).train()
    before = network.features[0].norm.running_mean.clone()
    found = latencies({"a": network, "b": torch.nn.Flatten()}, torch.rand(4, 3, 8, 8), rounds=2)
    assert found.keys() == {"a", "b"} and min(found.values()) > 0
    assert network.training and torch.equal(network.features[0].norm.running_mean, before)
