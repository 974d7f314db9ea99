"""spred with one redundant scalar per filter (Algorithm 2): whole filters die, and the network can be cut smaller.

The units of the last layer are the classes and must stay; its weights are redundant one by one.
"""

from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Generator, Tensor, nn

from spred_bench import redundancy
from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.components.methods._redundant import groups_of
from spred_bench.networks.sparsity import weights_of


@component
class Method(BaseMethod):
    """init, weight_decay, lr_multiplier: as in methods/spred.py."""

    init: Literal["off_balance", "independent", "unit"] = "off_balance"
    weight_decay: NonNegativeFloat = 1e-4
    lr_multiplier: PositiveFloat = 1.0

    strengths: ClassVar = (1e-3, 1e-2)

    @property
    def redraws(self) -> bool:
        """Whether the start draws the products anew."""
        return self.init == "independent"

    def prepare(self, network: nn.Module, generator: Generator | None = None) -> None:
        """Make all weights redundant, in place: filters (output units) as groups, the last layer by elements."""
        *filters, last = weights_of(network)
        redundancy.reparametrize(network, filters, group="output", init=self.init, generator=generator)
        redundancy.reparametrize(network, last, init=self.init, generator=generator)

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """Factors with decay 2 kappa, other weights with their own, biases and normalisation with none."""
        return groups_of(network, kappa, self.weight_decay, self.lr_multiplier)

    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """The products as plain weights; filters whose root mean square is up to `threshold` are zero."""
        return redundancy.merge(network, threshold)

    def scores(self, network: nn.Module) -> dict[str, Tensor]:
        """What to prune by: each filter's root mean square, magnitudes in the last layer."""
        *filters, last = weights_of(network).items()
        rms = {name: w.square().mean(tuple(range(1, w.ndim)), keepdim=True).sqrt().expand_as(w) for name, w in filters}
        return {**rms, last[0]: last[1].abs()}
