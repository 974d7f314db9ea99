"""Optimizer groups, refused optimizers, the explicit penalty, strengths, the decay budget and diagnostics."""

import math
import subprocess
import sys

import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn
from torchvision.models import resnet18

from spred_bench.redundancy import (
    asymmetric_strengths,
    check_optimizer,
    decay_budget,
    depth_strength,
    effective_weights,
    factors_of,
    imbalance,
    kappa_from_asymmetric,
    kappa_from_l1_strength,
    kappa_from_lasso_alpha,
    kappa_from_weight_decay,
    l1_strength,
    lasso_alpha,
    parameter_groups,
    penalty,
    reparametrize,
    sign_locked,
    weight_decay_from_kappa,
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
    for kappa in (-1e-3, math.nan, math.inf):
        with pytest.raises(ValueError, match="kappa="):
            parameter_groups(model, kappa=kappa)
    for function in (lambda m: parameter_groups(m, kappa=1.0), lambda m: penalty(m, 1.0)):
        with pytest.raises(ValueError, match="nothing in this model is redundant"):
            function(nn.Linear(2, 2))


@pytest.mark.parametrize("depth, group", [(2, None), (3, None), (2, "output")])
def test_weight_decay_takes_the_same_step_as_the_explicit_penalty(depth, group):
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


def test_conversions_are_one_convention():
    assert l1_strength(0.3) == weight_decay_from_kappa(0.3) == depth_strength(0.3, 2) == 0.6
    assert kappa_from_l1_strength(0.6) == kappa_from_weight_decay(0.6) == 0.3
    assert depth_strength(0.3, 4) == pytest.approx(1.2)
    alpha, beta = asymmetric_strengths(0.3, 5.0)
    assert kappa_from_asymmetric(alpha, beta) == pytest.approx(0.3) and alpha / beta == pytest.approx(25)
    for arguments in (("loss", 1, 1), ("sums", 2, 3)):
        with pytest.raises(ValueError, match="use one of half_mean, mean, half_sum, sum"):
            kappa_from_lasso_alpha(0.1, arguments[0])
    with pytest.raises(ValueError, match="ratio=0"):
        asymmetric_strengths(0.3, 0)
    with pytest.raises(ValueError, match="depth=1"):
        depth_strength(0.3, 1)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["half_mean", "mean", "half_sum", "sum"])
def test_lasso_alpha_fits_every_scaling(loss, outputs):
    """The subgradient of the named loss at scikit-learn's solution has size 2 kappa on the support."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(30, 8, generator=generator, dtype=torch.float64)
    Y = X[:, :outputs] * 2 + 0.1
    coefficients = Lasso(0.2, fit_intercept=False, tol=1e-12).fit(X.numpy(), Y.numpy()).coef_
    W = torch.as_tensor(coefficients).reshape(outputs, 8).requires_grad_()
    squares = (Y - X @ W.T).square()
    values = {"half_mean": squares.mean() / 2, "mean": squares.mean()}
    value = values.get(loss, squares.sum() / (2 if loss == "half_sum" else 1))
    value.backward()
    kappa = kappa_from_lasso_alpha(0.2, loss, samples=30, outputs=outputs)
    torch.testing.assert_close(
        W.grad[W != 0], -l1_strength(kappa) * W[W != 0].sign().detach(), rtol=1e-4, atol=1e-8
    )
    assert lasso_alpha(kappa, loss, samples=30, outputs=outputs) == pytest.approx(0.2)


def cosine(peak: float, steps: int) -> list[float]:
    return [peak * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def test_decay_budget_of_the_published_recipe():
    """lr 0.256 cosine, 50 epochs of 196 steps, momentum 0.875: about 20 at 1e-3, 2 at 1e-4."""
    schedule = cosine(0.256, 50 * 196)
    assert decay_budget(1e-3, schedule, momentum=0.875) == pytest.approx(20, abs=0.2)
    with pytest.warns(UserWarning, match="decay budget 2.01 is below 14"):
        assert decay_budget(1e-4, schedule, momentum=0.875) == pytest.approx(2, abs=0.02)
    assert decay_budget(1e-3, schedule, momentum=0.875, depth=3) == pytest.approx(30, abs=0.3)
    with pytest.raises(ValueError, match="momentum=1"):
        decay_budget(1e-3, schedule, momentum=1.0)


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


def test_conversions_do_not_load_torch():
    code = "import sys; from spred_bench.redundancy import l1_strength; assert l1_strength(1) == 2; "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)
