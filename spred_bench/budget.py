"""The decay budget of a training, before it begins: can useless weights become zero in these steps at this kappa?"""

import math
import warnings
from dataclasses import dataclass

from torch import nn
from torch.optim import SGD, Optimizer

from spred_bench import schedules
from spred_bench.errors import UserError
from spred_bench.kappa_schedule import factor_groups, trapezoid
from spred_bench.redundancy import decay_budget, factors_of
from spred_bench.redundancy.strengths import USELESS_WEIGHT_BUDGET
from spred_bench.schedules import Schedule


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
            f"decay budget {self.exponent:.3g}: useless weights shrink by {math.exp(-self.exponent):.1e} in {self.n_steps} "
            f"steps (kappa {self.kappa:g}, factors' learning rate up to {self.peak_lr:g}, momentum {self.momentum:g})"
        )

    def require(self, needed: float = USELESS_WEIGHT_BUDGET, override: str = "") -> None:
        """UserError where the exponent is below `needed`; `override` is what the user can type to go on anyway."""
        if self.exponent >= needed:
            return
        factor = needed / self.exponent if self.exponent > 0 else math.inf
        anyway = f"; {override} runs it all the same" if override else ""
        raise UserError(
            f"{self}, {needed:.3g} is needed: nothing would become zero; {factor:.2g} times the epochs, the factors' "
            f"learning rate or kappa ({self.kappa * factor:.2g}) is enough{anyway}"
        )


def planned(
    network: nn.Module,
    optimizer: Optimizer,
    n_steps: int,
    schedule: Schedule | None = None,
    *,
    warmup: float = 0.0,
    off: float = 0.0,
) -> DecayBudget | None:
    """The budget of `n_steps` of a redundant network whose groups come from a spred method.

    schedule: of the learning rate.  warmup, off: of kappa, see KappaSchedule. None for optimizers other than SGD, which
    rescale the decay, for kappa = 0, where nothing is to become zero, and for a network without redundant weights.
    """
    factors = factors_of(network)
    if not factors or not isinstance(optimizer, SGD):
        return None
    [group] = factor_groups([optimizer])
    if not group["weight_decay"] > 0:
        return None
    plain = schedules.rates(schedule, group, n_steps)
    rates = [rate * trapezoid(step / n_steps, warmup, off) for step, rate in enumerate(plain)]
    depth = min(len(split) for split in factors.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `require` says it better
        exponent = decay_budget(group["weight_decay"], rates, momentum=group["momentum"], depth=depth)
    return DecayBudget(exponent, n_steps, group["weight_decay"] / 2, max(rates, default=0.0), group["momentum"])

