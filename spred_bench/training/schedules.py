"""Learning-rate schedules: `schedule(optimizer, total_steps) -> torch scheduler`, stepped after every step.

Each factor multiplies the learning rate of its own parameter group, so groups keep their proportions.
"""

import math
from collections.abc import Callable

import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

Schedule = Callable[[Optimizer, int], LRScheduler]


def constant(warmup: float = 0) -> Schedule:
    """The optimizer's rate throughout, after a linear warm-up."""
    return _shaped(lambda progress: 1.0, warmup)


def linear(warmup: float = 0, floor: float = 0.0) -> Schedule:
    """From the optimizer's rate to `floor` times it, along a line."""
    return _shaped(lambda progress: floor + (1 - floor) * (1 - progress), warmup)


def cosine(warmup: float = 0, floor: float = 0.0) -> Schedule:
    """From the optimizer's rate to `floor` times it, along half a cosine."""
    return _shaped(lambda progress: floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2, warmup)


def one_cycle(warmup: float = 0.3, start: float = 1 / 25, floor: float = 1e-4, anneal: str = "cos") -> Schedule:
    """Up to the optimizer's rate in the fraction `warmup` of the steps, then down; momentum is left alone."""

    def schedule(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=max(total_steps, 1),
            pct_start=warmup,
            anneal_strategy=anneal,
            cycle_momentum=False,
            div_factor=1 / start,
            final_div_factor=start / floor,
        )

    return schedule


def rates(schedule: Schedule | None, group: dict, n_steps: int) -> list[float]:
    """The learning rate of an optimizer's group at each of `n_steps` steps, also when its schedule has begun.

    Found by going through the steps with nothing to train.
    """
    lr = group["lr"]
    if schedule is None:
        return [lr] * n_steps
    lr = group.get("max_lr", group.get("initial_lr", lr))
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, found = schedule(optimizer, n_steps), []
    for _ in range(n_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def _shaped(shape: Callable[[float], float], warmup: float) -> Schedule:
    """`shape` after the warm-up, whose length is a fraction of all steps if below 1, else in steps."""
    if warmup < 0:
        raise ValueError(f"warmup={warmup}: must not be negative")

    def schedule(optimizer: Optimizer, total_steps: int) -> LRScheduler:
        rising = round(warmup * total_steps) if warmup < 1 else round(warmup)
        falling = max(total_steps - rising, 1)

        def factor(step: int) -> float:
            if step < rising:
                return (step + 1) / (rising + 1)  # the first step moves already
            return shape(min((step - rising) / falling, 1.0))

        return LambdaLR(optimizer, factor)

    return schedule
