"""The decay budget is known before the training, and a run that cannot sparsify is refused with numbers."""

import math

import pytest
import torch
from torch import nn

from spred_bench.errors import DecayBudgetTooSmall
from spred_bench.redundancy import effective_weights, parameter_groups, reparametrize
from spred_bench.training import schedules
from spred_bench.training.decay_budget import planned
from spred_bench.training.kappa_schedule import KappaSchedule
from spred_bench.training.trainer import train


def plan(kappa=1e-3, n_steps=100, depth=2, schedule=None, warmup=0.0, off=0.0):
    network = nn.Linear(4, 3)
    reparametrize(network, depth=depth)
    groups = parameter_groups(network, kappa=kappa, lr=0.1, factor_lr_multiplier=5)
    moving = KappaSchedule(warmup, off)
    budget = planned(network, groups, lr=0.1, momentum=0.5, n_steps=n_steps, schedule=schedule, kappa_schedule=moving)
    return budget, network, torch.optim.SGD(groups, lr=0.1, momentum=0.5)


def test_it_is_the_sum_of_the_factors_rates():
    budget, *_ = plan()
    assert budget.exponent == pytest.approx(2 * 2e-3 * 100 * 0.5 / 0.5)
    assert plan(depth=3)[0].exponent == pytest.approx(1.5 * budget.exponent)
    assert plan(schedule=schedules.linear())[0].exponent == pytest.approx(budget.exponent / 2, rel=0.02)
    assert plan(warmup=0.5, off=0.25)[0].exponent == pytest.approx(budget.exponent / 2, rel=0.03)


@pytest.mark.parametrize("schedule", [None, schedules.one_cycle(), schedules.cosine(warmup=0.2)])
def test_a_useless_weight_shrinks_by_it(schedule):
    budget, network, optimizer = plan(kappa=0.02, n_steps=300, schedule=schedule, off=0.2)
    before = effective_weights(network)["weight"].clone()
    flat = lambda model, _: 0.0 * model.weight.sum()  # noqa: E731
    train(network, optimizer, flat, None, max_steps=300, schedule=schedule, callbacks=[KappaSchedule(off=0.2)])
    shrunk = (before / effective_weights(network)["weight"]).log().mean().item()
    assert shrunk == pytest.approx(budget.exponent, rel=0.1)


def test_refused_with_what_would_be_enough():
    budget, *_ = plan()
    with pytest.raises(DecayBudgetTooSmall) as refusal:
        budget.require(14)
    text = str(refusal.value)
    for said in ("0.4", "in 100 steps", "kappa 0.001", "14 is needed", "35 times"):
        assert said in text
    assert "\n" not in text
    budget.require(0.3)
    plan(kappa=1e-3 * 14 / budget.exponent * 1.001)[0].require()


def test_there_is_none_where_it_means_nothing():
    assert plan(kappa=0.0)[0] is None
    dense = nn.Linear(2, 2)
    assert planned(dense, [{"params": list(dense.parameters()), "weight_decay": 0.1}], lr=0.1, n_steps=10) is None
    stacked = nn.Linear(2, 2)
    reparametrize(stacked)
    groups = [{"name": "redundant", "params": list(stacked.parameters()), "weight_decay": torch.tensor([0.1, 0.2])}]
    assert planned(stacked, groups, lr=0.1, n_steps=10) is None
    assert math.isfinite(plan(n_steps=0)[0].exponent)
