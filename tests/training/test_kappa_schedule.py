"""kappa rises, stays, ends before the training does."""

import pytest
import torch
from torch import nn

from spred_bench.redundancy import parameter_groups, reparametrize
from spred_bench.training.kappa_schedule import KappaSchedule, trapezoid
from spred_bench.training.trainer import train


def network():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    reparametrize(model)
    return model


def used(schedule: KappaSchedule, steps: int = 10) -> list[tuple[float, float]]:
    """The weight decay of factors and of the bias before each step."""
    model = network()
    optimizer = torch.optim.SGD(parameter_groups(model, kappa=0.05), lr=0.01)
    seen = []

    def look(run):
        seen.append(tuple(group["weight_decay"] for group in run.optimizers[0].param_groups))

    train(model, optimizer, lambda m, _: m(torch.ones(3)).sum(), None, max_steps=steps, callbacks=[schedule, look])
    return seen[:steps]


def test_the_shape():
    assert [trapezoid(p, 0.4, 0.2) for p in (0, 0.1, 0.4, 0.7, 0.8, 1)] == pytest.approx([0, 0.25, 1, 1, 0, 0])
    assert [trapezoid(p) for p in (0, 0.5, 1)] == [1, 1, 1]


def test_only_the_factors_follow_it():
    decays, others = zip(*used(KappaSchedule(warmup=0.2, off=0.3)), strict=True)
    assert decays == pytest.approx([0, 0.05] + [0.1] * 5 + [0] * 3)
    assert set(others) == {0.0}


def test_it_goes_on_after_a_restart():
    schedule = KappaSchedule(off=0.5)
    used(schedule)
    again = KappaSchedule(off=0.5)
    again.load_state_dict(schedule.state_dict())
    model = network()
    optimizer = torch.optim.SGD(parameter_groups(model, kappa=0.05), lr=0.01)
    optimizer.param_groups[0]["weight_decay"] = 0.0  # as a checkpoint of the last steps has it
    train(model, optimizer, lambda m, _: m(torch.ones(3)).sum(), None, max_steps=1, callbacks=[again])
    assert again.full == [0.1]


@pytest.mark.parametrize("shares", [{"warmup": -0.1}, {"off": -0.1}, {"warmup": 0.6, "off": 0.5}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="together at most 1"):
        KappaSchedule(**shares)


def test_without_factors_it_says_so():
    model = nn.Linear(3, 2)
    with pytest.raises(ValueError, match="'redundant'"):
        train(
            model, torch.optim.SGD(model.parameters()), lambda m, _: 0, None, max_steps=1, callbacks=[KappaSchedule()]
        )
