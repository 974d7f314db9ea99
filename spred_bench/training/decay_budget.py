"""The decay budget of a training, before it begins: can useless weights become zero in these steps at this kappa?"""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from spred_bench.errors import DecayBudgetTooSmall
from spred_bench.redundancy import decay_budget, factors_of
from spred_bench.redundancy.strengths import USELESS_WEIGHT_BUDGET
from spred_bench.training import schedules
from spred_bench.training.kappa_schedule import KappaSchedule
from spred_bench.training.schedules import Schedule


@dataclass(frozen=True)
class DecayBudget:
    """exponent: B; a useless weight shrinks by exp(-B).  n_steps, kappa, peak_lr, momentum: what it follows from."""

    exponent: float
    n_steps: int
    kappa: float
    peak_lr: float
    momentum: float

    def __str__(self) -> str:
        return (
            f"decay budget {self.exponent:.3g}: useless weights shrink by {math.exp(-self.exponent):.1e} in "
            f"{self.n_steps} steps (kappa {self.kappa:g}, factors' learning rate up to {self.peak_lr:g}, "
            f"momentum {self.momentum:g})"
        )

    def require(self, needed: float = USELESS_WEIGHT_BUDGET) -> None:
        """Raise DecayBudgetTooSmall, a ValueError that says what would be enough, if the exponent is below `needed`."""
        if self.exponent >= needed:
            return
        factor = needed / self.exponent if self.exponent > 0 else math.inf
        raise DecayBudgetTooSmall(
            f"{self}, {needed:.3g} is needed: nothing would become zero; {factor:.2g} times the epochs, the factors' "
            f"learning rate or kappa ({self.kappa * factor:.2g}) is enough"
        )


def planned(
    network: nn.Module,
    groups: Iterable[dict],
    *,
    lr: float,
    n_steps: int,
    momentum: float = 0.9,
    schedule: Schedule | None = None,
    kappa_schedule: KappaSchedule | None = None,
) -> DecayBudget | None:
    """The budget of `n_steps` of SGD on a redundant network; `groups` are those of a spred method, for the optimizer.

    None for a network without redundant weights, for kappa = 0, where nothing is to become zero, and for networks
    stacked as one. Not for adaptive optimizers, which rescale the decay.
    """
    factors = factors_of(network)
    found = [group for group in groups if group.get("name") == "redundant"]
    decay = found[0]["weight_decay"] if found else 0.0
    if not factors or isinstance(decay, Tensor) or not decay > 0:
        return None
    group = {"lr": found[0].get("lr", lr * found[0].get("lr_multiplier", 1.0))}
    share = kappa_schedule.share if kappa_schedule else lambda progress: 1.0
    rates = [rate * share(step / n_steps) for step, rate in enumerate(schedules.rates(schedule, group, n_steps))]
    depth = min(len(split) for split in factors.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `require` says it better
        exponent = decay_budget(decay, rates, momentum=momentum, depth=depth)
    return DecayBudget(exponent, n_steps, decay / 2, max(rates, default=0.0), momentum)
