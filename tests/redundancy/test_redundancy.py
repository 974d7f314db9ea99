"""Any model made redundant and merged again: what is kept, what is shared, what is refused."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from spred_bench import effective_weights, merge, parameter_groups, reparametrize
from spred_bench.redundancy import STARTS, factors_of, imbalance

torch.set_num_threads(1)  # small problems: more threads only wait for one another


def small_network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 2),
        nn.Flatten(),
        nn.LazyLinear(5),
    )


@pytest.fixture
def network():
    model = small_network()
    model(torch.randn(2, 3, 6, 6))
    return model.eval()


@pytest.fixture
def images():
    return torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def test_default_takes_every_linear_and_convolution_weight(network, images):
    outputs = network(images)
    names = reparametrize(network)
    assert names == ["0.weight", "3.weight", "5.weight"]
    assert list(effective_weights(network)) == names
    torch.testing.assert_close(network(images), outputs, rtol=1e-5, atol=1e-6)
    network(images).sum().backward()
    assert all(factor.grad is not None for group in factors_of(network).values() for factor in group)


@pytest.mark.parametrize("init", sorted(set(STARTS) - {"independent"}))
@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("group", [None, "output", "input", 0, (0, -1)])
def test_every_start_but_the_redraw_keeps_the_weights(network, images, init, depth, group):
    outputs = network(images)
    reparametrize(network, init=init, depth=depth, group=group)
    torch.testing.assert_close(network(images), outputs, rtol=1e-5, atol=1e-5)
    levels = imbalance(network)
    assert max(levels.values()) < 1e-5 if init == "balanced" else min(levels.values()) > 0.02


@pytest.mark.parametrize("depth, group", [(2, None), (3, None), (2, "output"), (3, "input")])
def test_independent_start_matches_the_product_variance(depth, group):
    torch.manual_seed(0)
    model = nn.Linear(400, 300)
    before = model.weight.detach().clone()
    reparametrize(model, init="independent", depth=depth, group=group, generator=torch.Generator().manual_seed(3))
    again = nn.Linear(400, 300)
    again.weight.data.copy_(before)
    reparametrize(again, init="independent", depth=depth, group=group, generator=torch.Generator().manual_seed(3))
    assert torch.equal(model.weight, again.weight)
    assert not torch.allclose(model.weight, before)
    assert model.weight.square().mean().item() == pytest.approx(before.square().mean().item(), rel=0.25)
    *gates, last = factors_of(model)["weight"]
    power = last.square().sum() / gates[0].numel()
    assert all(gate.square().mean().item() == pytest.approx(power.item(), rel=0.25) for gate in gates)


def test_groups_hold_one_scalar_per_unit(network):
    reparametrize(network, group="output")
    shapes = {name: tuple(group[0].shape) for name, group in factors_of(network).items()}
    assert shapes == {"0.weight": (8, 1, 1, 1), "3.weight": (1, 6, 1, 1), "5.weight": (5, 1)}


def test_names_types_and_exclusions():
    assert reparametrize(small_network_ready(), ["0.*", "1.weight"]) == ["0.weight", "0.bias", "1.weight"]
    assert reparametrize(small_network_ready(), types=nn.Conv2d) == ["0.weight"]
    assert reparametrize(small_network_ready(), "*", types=nn.BatchNorm2d) == ["1.weight", "1.bias"]
    assert reparametrize(small_network_ready(), exclude=["0.*", "5.weight"]) == ["3.weight"]


def small_network_ready():
    model = small_network()
    model(torch.zeros(2, 3, 6, 6))
    nn.init.ones_(model[0].bias)
    return model


def test_a_bare_module_with_a_stacked_weight():
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(6, 20, dtype=torch.float64))

    model = Stack()
    assert reparametrize(model, "w", group=0) == ["w"]
    assert [tuple(f.shape) for f in factors_of(model)["w"]] == [(1, 20), (6, 20)]
    assert model.w.dtype == torch.float64 and model.w.abs().max() == 0
    model.w = torch.full((6, 20), -2.0, dtype=torch.float64)  # assigning splits the new value
    torch.testing.assert_close(model.w, torch.full((6, 20), -2.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_and_merge_are_exact(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 3)).to(dtype)
    x = torch.randn(5, 30, dtype=dtype)
    reparametrize(model)
    weights, outputs = effective_weights(model), model(x)
    assert all(weight.dtype == dtype for weight in weights.values())
    assert merge(model) is model
    assert torch.equal(model(x), outputs)
    assert torch.equal(model[0].weight, weights["0.weight"])
    assert type(model[0]) is nn.Linear and isinstance(model[0].weight, nn.Parameter)
    assert set(dict(model.named_parameters())) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_merge_thresholds_weights_and_groups():
    model = nn.Linear(4, 2, bias=False)
    model.weight.data = torch.tensor([[0.5, -0.01, 0.0, 2.0], [0.009, 0.01, -0.01, 0.008]])
    grouped = copy.deepcopy(model)
    reparametrize(model)
    merge(model, 0.0101)
    torch.testing.assert_close(model.weight.data, torch.tensor([[0.5, 0, 0, 2.0], [0, 0, 0, 0]]))
    reparametrize(grouped, group="output")
    merge(grouped, 0.0101)  # the norm of the second row is 0.0186, its root mean square 0.0093
    assert (grouped.weight[1] == 0).all() and grouped.weight[0, 1].item() == pytest.approx(-0.01)


def test_resnet18_trains_a_step_and_merges():
    torch.manual_seed(0)
    model = resnet18(num_classes=10).eval()
    x = torch.randn(2, 3, 32, 32)
    outputs = model(x)
    assert len(reparametrize(model, "layer1.*.weight", types=nn.Conv2d, depth=3)) == 4
    merge(model)
    assert len(reparametrize(model)) == 21
    torch.testing.assert_close(model(x), outputs, rtol=1e-3, atol=1e-4)
    optimizer = torch.optim.SGD(parameter_groups(model, kappa=1e-4), lr=0.01)
    model(x).square().sum().backward()
    optimizer.step()
    trained = model(x)
    assert not torch.allclose(trained, outputs)
    assert torch.equal(merge(model)(x), trained)
    resnet18(num_classes=10).load_state_dict(model.state_dict())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embed.weight
        self.alias = self.head

    def forward(self, tokens):
        return self.alias(self.embed(tokens))


@pytest.mark.parametrize("copied", [False, True])
def test_tied_weights_stay_tied(copied):
    model, tokens = Tied(), torch.tensor([0, 3, 6])
    outputs = model(tokens)
    assert reparametrize(model, "head.weight") == ["head.weight"]
    model = copy.deepcopy(model) if copied else model
    torch.testing.assert_close(model(tokens), outputs)
    assert len(list(model.parameters())) == 2 and list(effective_weights(model)) == ["embed.weight"]
    model(tokens).square().sum().backward()
    with torch.no_grad():
        for factor in model.parameters():
            factor -= 0.1 * factor.grad
    assert torch.equal(model.embed.weight, model.head.weight)
    outputs = model(tokens)
    merge(model)
    assert model.embed.weight is model.head.weight is model.alias.weight
    assert torch.equal(model(tokens), outputs)


def test_frozen_weights_are_left_alone(network):
    network[0].requires_grad_(False)
    frozen = network[0].weight
    assert reparametrize(network, init="independent") == ["3.weight", "5.weight"]
    assert network[0].weight is frozen
    for factor in network[3].parameters():
        factor.requires_grad_(False)
    merge(network)
    assert [network[i].weight.requires_grad for i in (0, 3, 5)] == [False, False, True]


def test_copies_are_independent(network, images):
    reparametrize(network, "0.weight")
    twin = copy.deepcopy(network)
    reparametrize(twin, "0.bias", init="unit")
    merge(twin, threshold=10.0)
    assert (twin[0].weight == 0).all()
    assert network(images).isfinite().all() and network[0].weight.abs().max() > 0
    assert isinstance(network[0].bias, nn.Parameter)
    reparametrize(network, "3.weight")
    assert torch.equal(merge(network)[0].weight, network[0].weight)


def test_attention_reads_the_effective_weight():
    torch.manual_seed(0)
    layer, x = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval(), torch.randn(2, 3, 8)
    outputs = layer(x)
    names = reparametrize(layer, "*weight", types=(nn.MultiheadAttention, nn.Linear))
    assert names[0] == "self_attn.in_proj_weight" and len(names) == 4
    torch.testing.assert_close(layer(x), outputs)
    with torch.inference_mode():  # the fused path
        torch.testing.assert_close(layer(x), outputs)
    merge(layer, threshold=100.0)
    assert not torch.allclose(layer(x), outputs)


def test_state_dict_round_trip(network, images):
    other = copy.deepcopy(network)
    reparametrize(network, init="independent", depth=3)
    reparametrize(other, depth=3)
    other.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(other(images), network(images))


def test_autocast_keeps_full_precision_factors(network, images):
    reparametrize(network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = network(images)
    assert outputs.dtype == torch.bfloat16
    outputs.float().sum().backward()
    for factor in (factor for group in factors_of(network).values() for factor in group):
        assert factor.dtype == torch.float32 and factor.grad.isfinite().all()
