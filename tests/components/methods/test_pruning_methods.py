"""The methods compared in pruning, each by what defines it."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fake_cuda import needs_fake_cuda
from spred_bench.components.methods import l1, random, snip, spred, spred_filters, synflow, weight_decay
from spred_bench.components.methods import str as soft_threshold
from spred_bench.components.models import resnet9, vgg16_bn
from spred_bench.components.models.mlp import Mlp
from spred_bench.networks import masks, sparsity
from spred_bench.training import optimizers
from spred_bench.training.augmentation import random_crop, random_flip

AT_INIT = {"random": random.Method(), "snip": snip.Method(), "synflow": synflow.Method(n_rounds=20)}


def network(seed: int = 0, width: int = 4) -> nn.Module:
    return resnet9.Model(width=width).build((3, 8, 8), 5, torch.Generator().manual_seed(seed))


def batch(n: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, 8, 8, generator=generator), torch.randint(0, 5, (n,), generator=generator)


@pytest.mark.parametrize("name", AT_INIT)
def test_pruning_at_initialisation_keeps_as_many_as_asked(name):
    net = network()
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    images, labels = batch()
    kept = AT_INIT[name].masks(net.eval(), 10, (images, labels), torch.Generator().manual_seed(2))
    weights = sparsity.weights_of(net)
    assert kept.keys() == weights.keys()
    total = sum(weight.numel() for weight in weights.values())
    assert sum(int(mask.sum()) for mask in kept.values()) == pytest.approx(total / 10, abs=2)
    assert all(torch.equal(before[key], tensor) for key, tensor in net.state_dict().items())
    again = AT_INIT[name].masks(net, 10, (images, labels), torch.Generator().manual_seed(2))
    assert all(torch.equal(kept[key], again[key]) for key in kept)


def test_synflow_empties_no_layer_of_a_chain_where_random_does():
    net, ratio = vgg16_bn.Model(width=4).build((3, 8, 8), 5, torch.Generator().manual_seed(0)), 300
    empty = {}
    for name, method in AT_INIT.items():
        kept = method.masks(net, ratio, batch(), torch.Generator().manual_seed(2))
        empty[name] = sum(not mask.any() for mask in kept.values())
    assert empty["synflow"] == 0 < empty["random"]


def test_snip_ranks_by_the_change_of_the_loss():
    net = Mlp(4, 3, 2, bias="none", generator=torch.Generator().manual_seed(0)).double()
    images = torch.rand(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(20) % 2
    kept = snip.Method().masks(net, 3, (images, labels), torch.Generator())

    def change(weight: nn.Parameter, place: tuple, step: float = 1e-4) -> float:
        losses = []
        for sign in (1, -1):
            with torch.no_grad():
                old = weight[place].item()
                weight[place] = old * (1 + sign * step)
                losses.append(nn.functional.cross_entropy(net(images), labels).item())
                weight[place] = old
        return abs(losses[0] - losses[1]) / (2 * step)

    parameters = {name: net.get_parameter(name) for name in kept}
    changes = [(change(w, (i, j)), kept[name][i, j].item()) for name, w in parameters.items() for i, j in places(w)]
    assert min(c for c, stays in changes if stays) > max(c for c, stays in changes if not stays)


def places(weight: torch.Tensor) -> list[tuple[int, int]]:
    return [(i, j) for i in range(weight.shape[0]) for j in range(weight.shape[1])]


def test_soft_threshold_starts_where_the_network_was():
    net, method = network(), soft_threshold.Method(initial=-3.0)
    before = {name: weight.clone() for name, weight in sparsity.weights_of(net).items()}
    method.prepare(net)
    torch.testing.assert_close(net.output.weight, before["output.weight"])
    module = net.output.parametrizations.weight
    with torch.no_grad():
        module[0].s.fill_(-2.0)
        v = module.original.clone()
    threshold = torch.tensor(-2.0).sigmoid()
    plain = method.finalize(net).output.weight
    assert torch.equal(plain == 0, v.abs() <= threshold) and (plain == 0).any() and (plain != 0).any()
    torch.testing.assert_close(plain[plain != 0].abs(), (v.abs() - threshold)[plain != 0])


def test_decay_raises_the_soft_threshold_of_every_layer():
    net, method = network(), soft_threshold.Method(initial=-6.0)
    method.prepare(net)
    thresholds = [parameter for name, parameter in net.named_parameters() if name.endswith("weight.0.s")]
    assert len(thresholds) == 9
    optimizer = optimizers.build("sgd", method.parameter_groups(net, 0.5), 0.1)
    nn.functional.cross_entropy(net(batch()[0]), batch()[1]).backward()
    optimizer.step()
    assert all(threshold.item() > -6.0 for threshold in thresholds)


def test_plain_l1_adds_the_norm_of_weights_alone():
    net, method = network(), l1.Method()
    expected = 2 * 0.3 * sum(weight.abs().sum() for weight in sparsity.weights_of(net).values())
    torch.testing.assert_close(method.penalty(net, 0.3), expected)
    method.penalty(net, 0.3).backward()
    assert torch.equal(net.output.weight.grad, 0.6 * net.output.weight.sign())
    assert net.output.bias.grad is None and net.features[0].norm.weight.grad is None


def test_whole_filters_go_and_single_weights_of_the_last_layer():
    net, method = network(), spred_filters.Method(init="off_balance")
    method.prepare(net)
    with torch.no_grad():
        gate = net.features[1].conv.conv.parametrizations.weight.original0
        assert gate.shape == (8, 1, 1, 1)
        gate[:3] *= 1e-9
    net = method.finalize(net, 1e-6)
    filters = net.features[1].conv.conv.weight.flatten(1)
    assert (filters == 0).all(1).sum() == 3 and (filters[3:] != 0).all()
    scores = method.scores(net)
    assert scores["features.1.conv.conv.weight"].shape == (8, 4, 3, 3)
    torch.testing.assert_close(scores["features.1.conv.conv.weight"][3, 0, 0, 0], filters[3].square().mean().sqrt())
    assert torch.equal(scores["output.weight"], net.output.weight.abs())


def test_factors_have_their_own_rate():
    net, method = network(), spred.Method(init="independent", lr_multiplier=5, depth=3)
    method.prepare(net, torch.Generator().manual_seed(0))
    optimizer = optimizers.build("sgd", method.parameter_groups(net, 1e-3), 0.1)
    rates = {round(group["weight_decay"], 6): group["lr"] for group in optimizer.param_groups}
    assert rates == {0.002: 0.5, 0.0: 0.1}
    decayed, free = weight_decay.Method().parameter_groups(network(), 1e-3)
    assert {p.ndim for p in decayed["params"]} == {2, 4} and {p.ndim for p in free["params"]} == {1}


@needs_fake_cuda
@pytest.mark.parametrize("method", [soft_threshold.Method(), weight_decay.Method()])
def test_nothing_of_the_cpu_slips_in_on_another_device(method):
    """Without a GPU: fake tensors on `cuda` fail if a tensor of the CPU meets them."""
    with FakeTensorMode(), torch.device("cuda"):
        net = resnet9.ResNet9(3, 5, 4, None)
        kept = {name: weight.abs() > 0.1 for name, weight in sparsity.weights_of(net).items()}
        masks.hold(net, masks.shuffled(kept, torch.Generator()))
        method.prepare(net)
        images = torch.zeros(4, 3, 8, 8)
        crops = random_flip(random_crop(images, 1, None), None)
        assert net(crops).device.type == "cuda"
        assert {weight.device.type for weight in sparsity.weights_of(net).values()} == {"cuda"}
