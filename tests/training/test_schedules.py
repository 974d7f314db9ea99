"""Learning rates at the beginning, after the warm-up and at the end."""

import pytest
import torch

from spred_bench.training import schedules


def rates(schedule, steps, lrs=(1.0, 0.1)):
    """The rates of the two groups at each of the steps."""
    parameters = [torch.zeros(1, requires_grad=True) for _ in lrs]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, lrs, strict=True)]
    optimizer = torch.optim.SGD(groups)
    scheduler = schedule(optimizer, steps)
    used = []
    for _ in range(steps):
        used.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return torch.tensor(used)


def test_constant_with_a_linear_warm_up():
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert rates(schedules.constant(warmup=3), 8)[:, 0].tolist() == expected
    assert rates(schedules.constant(warmup=0.375), 8)[:, 0].tolist() == expected


def test_linear_and_cosine_fall_from_the_full_rate_to_the_floor():
    assert rates(schedules.linear(), 4)[:, 0].tolist() == [1.0, 0.75, 0.5, 0.25]
    assert rates(schedules.linear(floor=0.5), 2)[:, 0].tolist() == [1.0, 0.75]
    cosine = rates(schedules.cosine(warmup=2, floor=0.1), 102)[:, 0]
    assert cosine[2] == 1.0 and cosine[52] == pytest.approx(0.55) and cosine[-1] == pytest.approx(0.1, abs=1e-3)


def test_one_cycle_rises_and_falls():
    cycle = rates(schedules.one_cycle(warmup=0.3, start=0.1, floor=0.01), 101)[:, 0]
    assert cycle[0] == pytest.approx(0.1) and cycle.max() == pytest.approx(1.0, abs=1e-3)
    assert 28 <= cycle.argmax() <= 31
    assert cycle[-1] == pytest.approx(0.01)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_groups_keep_their_proportions(name, steps):
    used = rates(getattr(schedules, name)(), steps)
    torch.testing.assert_close(used[:, 1], 0.1 * used[:, 0])
    assert (used >= 0).all()


def test_negative_warm_up_is_refused():
    with pytest.raises(ValueError, match="warmup=-1"):
        schedules.cosine(warmup=-1)
