"""Train to a target sparsity: kappa is steered during the training until the wanted share of the weights is zero.

    steering = TargetSparsity(0.99)
    train(..., callbacks=[steering])
    steering.report()

Three phases. *Steering*: a controller compares the measured share of negligible weights with an aim that approaches the
target, and raises or lowers kappa. *Landing*, at one step: exactly the wanted share of the weights, the smallest of the
whole network, is set to zero. All factors of such a weight become zero; their gradients vanish there, so they stay.
*Recovery*: the kept weights train on without penalty, so that no further weight becomes zero.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from spred_bench import redundancy
from spred_bench.redundancy import factors_of
from spred_bench.training import schedules
from spred_bench.training.kappa_schedule import factor_groups

if TYPE_CHECKING:
    from spred_bench.training.trainer import Trainer

_PROPORTIONAL, _INTEGRAL = 1.0, 5.0  # per unit of log density; the integral is over the share of the steps
_STARTING_BUDGET = 5.0  # exp(-5) makes a typical weight negligible
_LARGEST_CHANGE = 4.0  # of log kappa against its start; upwards reached with the target, because zeros take time


class TargetSparsity:
    """A callback of the trainer; the optimizer's groups come from a spred method, any depth, grouped or not.

    target: the share of the redundant weights that is exactly zero in the end. Groups go whole, so that with groups
        it is met up to the size of one.
    negligible: a weight counts as zero while steering where its magnitude (of a group: root mean square) is at most
        this part of the root mean square that the kept weights have if all others are zero.
    reach, land: shares of the steps at which the aim arrives at the target and at which the rest is set to zero.
    checks: how often kappa is set before the landing.

    Raises ValueError for a target that is not within 0 and 1, or phases out of order.
    """

    def __init__(
        self, target: float, *, negligible: float = 0.03, reach: float = 0.6, land: float = 0.8, checks: int = 100
    ):
        if not 0 < target < 1:
            raise ValueError(f"target_sparsity={target}: must lie between 0 and 1, as in 0.99")
        if not (0 < reach <= land <= 1 and checks >= 1 and negligible > 0):
            raise ValueError(f"reach={reach}, land={land}, checks={checks}, negligible={negligible}: out of range")
        self.target, self.negligible, self.reach, self.land, self.checks = target, negligible, reach, land, checks
        self.history: list[dict] = []  # one entry per check: step, kappa, aim, near_zero
        self.landing: dict = {}
        self._start = 0.0  # weight decay
        self._from: float | None = None  # negligible share at the start
        self._integral, self._last = 0.0, 0.0

    def due(self, trainer: "Trainer") -> bool:
        """At each check, at the landing, and at the end if the run stopped before it."""
        if self.landing:
            return False
        landing = self._landing_step(trainer)
        return trainer.finished or trainer.step % max(landing // self.checks, 1) == 0 or trainer.step >= landing

    def __call__(self, trainer) -> None:
        if trainer.finished or trainer.step >= self._landing_step(trainer):
            if trainer.status != "diverged":
                self._land(trainer)
        else:
            self._steer(trainer)

    def report(self) -> dict[str, float]:
        """Of the landing: `zeroed_by_training` and `zeroed_by_landing`, shares of all redundant weights that were
        negligible before and that were not; `removed_energy`, the part of the sum of squares that went; `kappa`, the
        last; `threshold`, the largest magnitude set to zero; `sparsity`, reached. RuntimeError before the landing."""
        if not self.landing:
            raise RuntimeError("the run has not landed: it diverged, or was not finished")
        return dict(self.landing)

    def _landing_step(self, trainer) -> int:
        return round(self.land * trainer.max_steps)

    def _steer(self, trainer) -> None:
        groups = factor_groups(trainer.optimizers)
        if not self._start:
            self._start = self._starting_decay(trainer, groups[0])
        sizes, counts = _magnitudes(trainer.model)
        near = self._near_zero(sizes, counts)
        progress = trainer.step / trainer.max_steps
        self._from = min(near, self.target) if self._from is None else self._from
        arrived = min(progress / self.reach, 1.0)
        aim = 1 - (1 - self._from) ** (1 - arrived) * (1 - self.target) ** arrived  # a line in log density
        error = math.log(max(1 - near, 1 / counts.sum().item())) - math.log(1 - aim)  # > 0: too dense
        self._integral += error * (progress - self._last)
        self._last = progress
        change = _PROPORTIONAL * error + _INTEGRAL * self._integral
        bounded = min(max(change, -_LARGEST_CHANGE), _LARGEST_CHANGE * arrived)
        self._integral += (bounded - change) / _INTEGRAL  # no winding up beyond the bounds
        for group in groups:
            group["weight_decay"] = self._start * math.exp(bounded)
        kappa = groups[0]["weight_decay"] / 2
        self.history.append({"step": trainer.step, "kappa": kappa, "aim": aim, "near_zero": near})

    def _starting_decay(self, trainer, group: dict) -> float:
        """The weight decay that shrinks useless weights to the size of negligible ones until `reach`.

        Adaptive optimizers rescale the decay: with them, the kappa that the optimizer was built with.
        """
        if "momentum" in group:
            rates = schedules.rates(trainer.schedule, group, trainer.max_steps)
            passed = sum(rates[: max(round(self.reach * trainer.max_steps), 1)])
            depth = min(len(split) for split in factors_of(trainer.model).values())
            return _STARTING_BUDGET * (1 - group["momentum"]) / (depth * passed)
        if not group["weight_decay"] > 0:
            raise ValueError("target_sparsity needs a kappa > 0 to start from, unless the optimizer is SGD")
        return group["weight_decay"]

    def _near_zero(self, sizes: Tensor, counts: Tensor) -> float:
        """The negligible share; the kept weights are given all of the energy, which is theirs in the end."""
        energy = (sizes.square() * counts).sum() / counts.sum()
        threshold = self.negligible * (energy / (1 - self.target)).sqrt()
        return (counts[sizes <= threshold].sum() / counts.sum()).item()

    def _land(self, trainer) -> None:
        groups = factor_groups(trainer.optimizers)
        sizes, counts = _magnitudes(trainer.model)
        total = counts.sum()
        near = self._near_zero(sizes, counts)
        order = sizes.argsort()
        gone = int((counts[order].cumsum(0) <= round(self.target * total.item())).sum())
        chosen = torch.zeros_like(sizes, dtype=torch.bool)
        chosen[order[:gone]] = True
        energies = sizes.square() * counts
        sparsity = (counts[chosen].sum() / total).item()
        self.landing = {
            "sparsity": sparsity,
            "zeroed_by_training": min(near, sparsity),
            "zeroed_by_landing": max(sparsity - near, 0.0),
            "removed_energy": (energies[chosen].sum() / energies.sum().clamp_min(1e-300)).item(),
            "threshold": sizes[chosen].max().item() if gone else 0.0,
            "kappa": groups[0]["weight_decay"] / 2,
        }
        _set_to_zero(trainer.model, trainer.optimizers, chosen)
        for group in groups:
            group["weight_decay"] = 0.0

    def state_dict(self) -> dict:
        return {
            k: v for k, v in vars(self).items() if k in ("history", "landing", "_start", "_from", "_integral", "_last")
        }

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


def _magnitudes(model: nn.Module) -> tuple[Tensor, Tensor]:
    """([G], [G]) in double: magnitude of every redundant weight or group of the model, and how many elements it has."""
    factors, sizes, counts = factors_of(model), [], []
    for name, size in redundancy.magnitudes(model).items():
        sizes.append(size.double().flatten())
        counts.append(torch.full_like(sizes[-1], factors[name][-1].numel() // size.numel()))
    return torch.cat(sizes), torch.cat(counts)


@torch.no_grad()
def _set_to_zero(model: nn.Module, optimizers, chosen: Tensor) -> None:
    """All factors of the chosen weights and groups, and what optimizers remember of them (momentum would move them)."""
    start = 0
    for *gates, last in factors_of(model).values():
        mask = chosen[start : start + gates[0].numel()].view(gates[0].shape)
        start += gates[0].numel()
        for factor in (*gates, last):
            remembered = [s for o in optimizers for s in o.state.get(factor, {}).values() if isinstance(s, Tensor)]
            for tensor in (factor, *(s for s in remembered if s.shape == factor.shape)):
                tensor.masked_fill_(mask, 0.0)
