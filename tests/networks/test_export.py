"""Files of sparse networks come back equal, and say how large they are."""

import pytest
import torch
from torch import nn

from spred_bench import redundancy
from spred_bench.components.models.vgg16_bn import Model
from spred_bench.networks.export import FORMATS, export, load


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    network = Model(width=4).build((3, 16, 16), 5, generator).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight *= torch.rand(module.weight.shape, generator=generator) > 0.95
                module.weight[: len(module.weight) // 2] = 0
    return network


@pytest.fixture
def images():
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_every_format_comes_back_equal(network, tmp_path):
    for row in export(network, tmp_path):
        assert row["value"] > 0
    for name in FORMATS:
        again = load(tmp_path / f"weights.{name}.pt")
        assert again.keys() == network.state_dict().keys()
        assert all(torch.equal(again[key], tensor) for key, tensor in network.state_dict().items())


def test_rows_say_what_is_on_disk(network, images, tmp_path):
    rows = {row["metric"]: row["value"] for row in export(network, tmp_path, images)}
    assert rows["bitmask_bytes"] == (tmp_path / "weights.bitmask.pt").stat().st_size
    assert max(rows["csr_bytes"], rows["bitmask_bytes"], rows["small_dense_bytes"]) < rows["dense_bytes"]
    assert rows["small_n_filters"] < 0.7 * rows["n_filters"]
    assert rows["small_difference"] < 1e-5
    assert {"latency_s", "small_latency_s", "nonzero_latency_s"} <= rows.keys()


def test_a_redundant_network_is_refused(network, tmp_path):
    redundancy.reparametrize(network)
    with pytest.raises(ValueError, match="merge"):
        next(export(network, tmp_path))
