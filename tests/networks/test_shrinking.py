"""A network without its dead filters is smaller and says the same."""

import pytest
import torch
from torch import nn

from spred_bench import redundancy
from spred_bench.components.models import resnet9, resnet18, vgg16_bn
from spred_bench.components.models.mlp import Mlp
from spred_bench.networks.shrinking import load_shrunk, shrink


class Plain(nn.Module):
    """Biased convolutions, two kinds of pooling, flattening: what the models of the package do not have."""

    def __init__(self, padding: int):
        super().__init__()
        self.one = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(3, 2, padding=padding)
        self.two = nn.Conv2d(8, 6, 3, padding=1)
        self.three = nn.Linear(6 * (9 if padding == 0 else 16), 9)
        self.four = nn.Linear(9, 4)

    def forward(self, images):
        x = self.two(torch.tanh(self.pool(self.one(images))))
        x = torch.flatten(nn.functional.max_pool2d(x.relu(), 2), 1)
        return self.four(nn.functional.silu(self.three(x)))


@torch.no_grad()
def damaged(network: nn.Module, share: float = 0.5) -> nn.Module:
    """Running statistics as after training, and `share` of the filters of every layer but the last empty."""
    generator = torch.Generator().manual_seed(1)
    *layers, _ = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
        elif isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            module.bias.normal_(generator=generator)
    for layer in layers:
        layer.weight[torch.rand(len(layer.weight), generator=generator) < share] = 0
    return network.eval()


def seeded():
    return torch.Generator().manual_seed(0)


NETWORKS = {
    "resnet9": lambda: resnet9.Model(width=4).build((3, 16, 16), 5, seeded()),
    "resnet18": lambda: resnet18.Model(width=4).build((3, 16, 16), 5, seeded()),
    "vgg16_bn": lambda: vgg16_bn.Model(width=4).build((3, 16, 16), 5, seeded()),
    "mlp": lambda: Mlp(3 * 16 * 16, 20, 5, bias="usual", generator=seeded()),
    "plain": lambda: Plain(padding=0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smaller_network_says_the_same(name):
    network = damaged(NETWORKS[name]())
    images = torch.randn(7, 3, 16, 16, generator=seeded())
    small, filters = shrink(network)
    with torch.no_grad():
        before, after = network.double()(images.double()), small(images)
    assert (before - after).abs().max() < 1e-5 * max(before.abs().max(), 1)
    assert all(left < full for full, left in filters.values())
    weights = [sum(p.numel() for p in n.parameters()) for n in (network, small)]
    assert weights[1] < 0.8 * weights[0]


@torch.no_grad()
def outputs(network: nn.Module) -> torch.Tensor:
    return network(torch.randn(3, 3, 16, 16, generator=seeded()))


def test_without_empty_filters_nothing_is_cut():
    network = NETWORKS["resnet9"]().eval()
    small, filters = shrink(network)
    assert all(before == after for before, after in filters.values())
    assert torch.equal(outputs(network), outputs(small))


def test_channels_that_meet_in_a_sum_stay():
    network = damaged(NETWORKS["resnet18"](), share=0.9)
    small, filters = shrink(network)
    assert "stages.0.0.first.conv" in filters and "stages.0.0.second.conv" not in filters
    widths = {name: m.num_features for name, m in small.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert widths["stem.norm"] == widths["stages.0.0.second.norm"] == 4
    assert widths["stages.0.0.first.norm"] < 4


def test_dead_channels_after_a_padded_average_stay():
    network = damaged(Plain(padding=1))
    small, filters = shrink(network)
    assert filters["one"] == (8, 8) and filters["two"][1] < 6
    torch.testing.assert_close(outputs(network), outputs(small))


def test_filters_that_nobody_hears_go_too_and_what_fed_only_them():
    network = Plain(padding=0).eval()
    with torch.no_grad():
        network.four.weight[:, 3:] = 0  # of three's nine outputs three are heard,
        network.three.weight[:3, 18:] = 0  # and those listen to two channels of `two`
    small, filters = shrink(network)
    assert filters == {"one": (8, 8), "two": (6, 2), "three": (9, 3)}
    torch.testing.assert_close(outputs(network), outputs(small))


@pytest.mark.parametrize("name", ["vgg16_bn", "resnet9"])
def test_an_empty_network_keeps_its_constant_output(name):
    network = damaged(NETWORKS[name](), share=2.0)
    small, filters = shrink(network)
    assert all(after == 1 for _, after in filters.values())
    torch.testing.assert_close(outputs(network), outputs(small))


def test_a_smaller_network_comes_back_from_its_tensors():
    small, _ = shrink(damaged(NETWORKS["vgg16_bn"]()))
    again = load_shrunk(NETWORKS["vgg16_bn"](), small.state_dict()).eval()
    assert torch.equal(outputs(small), outputs(again))
    assert again.features[0].conv.out_channels == len(again.features[0].conv.weight) < 4


class Undecided(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_refused_with_the_reason():
    network = NETWORKS["resnet9"]()
    redundancy.reparametrize(network)
    with pytest.raises(ValueError, match="merge"):
        shrink(network)
    with pytest.raises(ValueError, match="Undecided cannot be shrunk"):
        shrink(Undecided())
