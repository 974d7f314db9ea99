"""Optimizer groups, refused optimizers, the explicit penalty, what a schedule does, diagnostics."""

import math

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from spred_bench.redundancy import (
    check_optimizer,
    decay_budget,
    effective_weights,
    factors_of,
    imbalance,
    l1_strength,
    parameter_groups,
    penalty,
    reparametrize,
    sign_locked,
)

torch.set_num_threads(1)  # small problems: more threads only wait for one another


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.Linear(5, 5), nn.Linear(5, 2))
    network[3].requires_grad_(False)
    reparametrize(network, "0.weight")
    return network


def test_groups_hold_every_trainable_parameter_once(model):
    groups = parameter_groups(model, kappa=0.003, weight_decay=0.01, lr=0.1, factor_lr_multiplier=5)
    assert [(g["name"], len(g["params"]), g["weight_decay"], g["lr"]) for g in groups] == [
        ("redundant", 2, 0.006, 0.5),
        ("dense", 1, 0.01, 0.1),
        ("undecayed", 4, 0.0, 0.1),
    ]
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in model.parameters() if p.requires_grad}
    assert {id(p) for p in groups[0]["params"]} == {id(f) for f in factors_of(model)["0.weight"]}


def test_groups_of_a_resnet_leave_norms_and_biases_undecayed():
    network = resnet18(num_classes=3)
    reparametrize(network, "layer1.*", types=nn.Conv2d)
    sizes = {group["name"]: len(group["params"]) for group in parameter_groups(network, kappa=1e-4)}
    assert sizes == {"redundant": 8, "dense": 17, "undecayed": 41}


def test_groups_refuse_what_cannot_be(model):
    with pytest.raises(ValueError, match="give lr"):
        parameter_groups(model, kappa=1e-3, factor_lr_multiplier=5)
    for kappa in (-1e-3, math.nan, math.inf, "1e-3"):
        for function in (lambda k: parameter_groups(model, kappa=k), lambda k: penalty(model, k)):
            with pytest.raises(ValueError, match=r"kappa=.* must be a finite number"):
                function(kappa)
    with pytest.raises(ValueError, match="weight_decay=-1 must be"):
        parameter_groups(model, kappa=1e-3, weight_decay=-1)
    with pytest.raises(ValueError, match="factor_lr_multiplier=0 must be above 0"):
        parameter_groups(model, kappa=1e-3, lr=0.1, factor_lr_multiplier=0)
    for function in (lambda m: parameter_groups(m, kappa=1.0), lambda m: penalty(m, 1.0)):
        with pytest.raises(ValueError, match="nothing in this model is redundant"):
            function(nn.Linear(2, 2))


@pytest.mark.parametrize("depth, group", [(2, None), (3, None), (2, "output")])
def test_weight_decay_steps_like_the_explicit_penalty(depth, group):
    steps = []
    for explicit in (True, False):
        torch.manual_seed(1)
        network = nn.Linear(4, 3)
        reparametrize(network, depth=depth, group=group)
        if explicit:
            optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
            (network(torch.ones(4)).sum() + penalty(network, 0.05)).backward()
        else:
            optimizer = torch.optim.SGD(parameter_groups(network, kappa=0.05), lr=0.1)
            network(torch.ones(4)).sum().backward()
        optimizer.step()
        steps.append(effective_weights(network)["weight"])
    torch.testing.assert_close(*steps)


def test_penalty_of_balanced_factors_is_the_norm():
    weight = torch.tensor([[3.0, -4.0], [0.0, 2.0]])
    for options, expected in (({}, 9.0), ({"group": "output"}, 7.0)):
        network = nn.Linear(2, 2, bias=False)
        network.weight.data.copy_(weight)
        reparametrize(network, init="balanced", **options)
        assert penalty(network, 0.1).item() == pytest.approx(l1_strength(0.1) * expected)
    network = nn.Linear(2, 2, bias=False)
    network.weight.data.copy_(weight)
    reparametrize(network, init="balanced")
    rows = torch.tensor([[0.5], [0.25]])  # one kappa for each stacked problem
    assert penalty(network, rows).item() == pytest.approx(2 * (0.5 * 7 + 0.25 * 2))


@pytest.mark.parametrize(
    "build",
    [
        lambda g: torch.optim.SGD(g, lr=0.1, momentum=0.9, nesterov=True),
        lambda g: torch.optim.SGD(g, lr=0.1, maximize=True),
        lambda g: torch.optim.Adam(g, lr=0.1),
        lambda g: torch.optim.NAdam(g),
        lambda g: torch.optim.RAdam(g),
        lambda g: torch.optim.RMSprop(g),
        lambda g: torch.optim.Adagrad(g),
    ],
)
def test_coupled_decay_is_accepted(model, build):
    optimizer = build(parameter_groups(model, kappa=1e-3))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = str(optimizer.state_dict())
    assert check_optimizer(optimizer, model) is None
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert str(optimizer.state_dict()) == state


class HomeMadeDecoupled(torch.optim.Optimizer):
    """Decoupled without any flag that says so."""

    def __init__(self, params, lr=0.1, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(group["lr"] * parameter.grad.sign())


@pytest.mark.parametrize(
    "build",
    [
        lambda g: torch.optim.AdamW(g),
        lambda g: type("MyAdamW", (torch.optim.AdamW,), {})(g),
        lambda g: torch.optim.Adam(g, decoupled_weight_decay=True),
        lambda g: torch.optim.NAdam(g, decoupled_weight_decay=True),
        lambda g: torch.optim.RAdam(g, decoupled_weight_decay=True),
        lambda g: torch.optim.Adafactor(g),
        HomeMadeDecoupled,
    ],
)
def test_decoupled_decay_is_refused(model, build):
    with pytest.raises(ValueError, match="decouples weight decay from the gradient") as error:
        check_optimizer(build(parameter_groups(model, kappa=1e-3)), model)
    assert "\n" not in str(error.value)


def test_missing_decay_is_refused(model):
    factors = factors_of(model)["0.weight"]
    for optimizer, message in (
        (torch.optim.SGD(model.parameters(), lr=0.1), "weight_decay is 0 on '0.weight'"),
        (torch.optim.SGD([model[2].weight], lr=0.1), "does not hold the factors of '0.weight'"),
        (torch.optim.SGD(factors[:1], lr=0.1, weight_decay=0.1), "does not hold the factors"),
        (torch.optim.LBFGS(model.parameters()), "LBFGS takes no weight_decay; add penalty"),
        (torch.optim.Rprop(parameter_groups(model, kappa=1.0)), "Rprop takes no weight_decay; add penalty"),
    ):
        with pytest.raises(ValueError, match=message):
            check_optimizer(optimizer, model)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_decay_budget_predicts_a_useless_weight(depth, momentum):
    network = nn.Linear(3, 1, bias=False)
    reparametrize(network, depth=depth)
    start, unbalanced = network.weight.detach().clone(), factors_of(network)["weight"]
    gap = (unbalanced[0].square() - unbalanced[-1].square()).detach()
    decay, steps = 1.0 - momentum, 3000  # slow enough for the momentum to be an average
    optimizer = torch.optim.SGD(parameter_groups(network, kappa=decay / 2), lr=0.005, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.0 * network.weight).sum().backward()
        optimizer.step()
    budget = decay_budget(decay, [0.005] * steps, momentum=momentum, depth=depth)
    assert -(network.weight / start).log().mean().item() == pytest.approx(budget, rel=0.06)
    left = (unbalanced[0].square() - unbalanced[-1].square()).detach()
    assert -(left / gap).log().mean().item() == pytest.approx(2 * budget / depth, rel=0.06)


def test_diagnostics_tell_the_starts_apart():
    levels = {}
    for init in ("unit", "independent", "off_balance", "balanced"):
        torch.manual_seed(0)
        network = nn.Linear(50, 40)
        reparametrize(network, init=init)
        levels[init] = imbalance(network)["weight"]
        assert sign_locked(network) == {"weight": 2000 if init == "balanced" else 0}
    assert 1 > levels["unit"] > levels["independent"] > levels["off_balance"] > 0.3
    assert levels["balanced"] == 0
    with torch.no_grad():
        factors_of(network)["weight"][0][:2] *= 1.5
        factors_of(network)["weight"][1][39] = 0
        factors_of(network)["weight"][0][39] = 0
    assert sign_locked(network) == {"weight": 1900}
    assert imbalance(nn.Linear(2, 2)) == sign_locked(nn.Linear(2, 2)) == {}
