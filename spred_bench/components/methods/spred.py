"""spred (Algorithms 1 and 2): chosen weights become products; the decay 2 kappa of their factors is an L1 penalty."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Generator, nn

from spred_bench import redundancy
from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.components.methods._redundant import groups_of
from spred_bench.training.kappa_schedule import KappaSchedule
from spred_bench.training.target_sparsity import TargetSparsity


@component
class Method(BaseMethod):
    """names, group, depth, init: as `redundancy.reparametrize` takes them; a group shares one scalar (Algorithm 2).

    weight_decay: of the weights that are not redundant; without any they grow to make up for the shrinking ones.
    lr_multiplier: of the factors' learning rate; under SGD they want about five times the others'.
    kappa_warmup, kappa_off: shares of the steps over which kappa rises at first, and in the end is 0.
    target_sparsity: the share of the redundant weights that is zero in the end; kappa is found, not given.
    """

    names: str | list[str] | None = None
    group: int | str | None = None
    depth: Annotated[int, Field(ge=2)] = 2
    init: str = "off_balance"
    weight_decay: NonNegativeFloat = 1e-4
    lr_multiplier: PositiveFloat = 1.0
    kappa_warmup: NonNegativeFloat = 0.0
    kappa_off: NonNegativeFloat = 0.0
    target_sparsity: float | None = None

    def __post_init__(self):
        self.callbacks()  # refuses what cannot be
        known = redundancy.STARTS
        if self.init not in known:
            raise ValueError(f"init={self.init}: expected one of {', '.join(known)}")

    @property
    def strengths(self) -> tuple[float, ...]:
        """Two a decade apart; products of more factors need less."""
        return (1e-3, 1e-2) if self.depth == 2 else (3e-4, 3e-3)

    @property
    def redraws(self) -> bool:
        """Whether the start draws the products anew."""
        return self.init == "independent"

    @property
    def finds_kappa(self) -> bool:
        """Whether a share of zeros is asked for, and kappa follows from it."""
        return self.target_sparsity is not None

    @property
    def stacks(self) -> bool:
        """By name, with groups counted from the end, the same in a stack; nothing redrawn, kappa constant."""
        same_groups = self.group is None or (isinstance(self.group, int) and self.group < 0)
        return self.names is not None and same_groups and not self.redraws and not self.callbacks()

    def prepare(self, network: nn.Module, generator: Generator | None = None) -> None:
        """Make the chosen weights redundant, in place."""
        redundancy.reparametrize(
            network, self.names, group=self.group, depth=self.depth, init=self.init, generator=generator
        )

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """Factors with decay 2 kappa, other weights with their own, biases and normalisation with none."""
        return groups_of(network, kappa, self.weight_decay, self.lr_multiplier)

    def callbacks(self) -> list:
        """What moves kappa during one training, for the trainer."""
        moving = KappaSchedule(self.kappa_warmup, self.kappa_off)
        if not self.finds_kappa:
            return [moving] if self.kappa_warmup or self.kappa_off else []
        if self.kappa_warmup or self.kappa_off:
            raise ValueError("target_sparsity moves kappa itself: leave kappa_warmup and kappa_off out")
        return [TargetSparsity(self.target_sparsity)]

    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """The products as plain weights; elements, or groups by their root mean square, up to `threshold` are zero."""
        return redundancy.merge(network, threshold)
