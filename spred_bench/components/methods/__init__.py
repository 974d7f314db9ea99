"""How a network is made sparse, one file each, with a class `Method`. The task sweeps kappa, the strength of Eq. (3).

    method.prepare(network, generator)          change the module in place, before the optimizer is built
    method.parameter_groups(network, kappa)     groups for the optimizer; `weight_decay` is coupled (see optimizers.py)
    method.penalty(network, kappa)              a term of the loss, or None
    method.finalize(network, threshold)         plain weights again, those up to `threshold` exactly zero

At kappa = 0 nothing is penalised, and `prepare` then `finalize` with threshold 0 leaves the outputs as they were,
unless the method `redraws`. kappa is a number, or, for a method that `stacks`, a tensor with one value per network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from spred_bench.networks.masks import Masks


class BaseMethod(ABC):
    """What tasks ask of every method: the four verbs, and what a method can do beyond them.

    strengths: kappas that `task=pruning` sweeps where its table `kappas` has none for the method.
    stacks: it treats networks stacked along the first dimension (models/stacked.py) as it treats each alone.
    redraws: `prepare` draws the weights anew.
    finds_kappa: each training finds its own kappa, so that none is given.
    prunes_at_start: it prunes before the training, by `masks`.
    """

    strengths: ClassVar[tuple[float, ...]] = ()
    stacks = False
    redraws = False
    finds_kappa = False
    prunes_at_start = False

    @abstractmethod
    def prepare(self, network: nn.Module, generator: Generator | None = None) -> None:
        """Change the network in place, before the optimizer is built."""

    @abstractmethod
    def parameter_groups(self, network: nn.Module, kappa: float | Tensor) -> list[dict]:
        """Groups for the optimizer, each with its `weight_decay`; every parameter is in one of them."""

    def penalty(self, network: nn.Module, kappa: float | Tensor) -> Tensor | None:
        """A term of the loss; None where the decay is the penalty."""
        return None

    @abstractmethod
    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """The network with plain weights, those up to `threshold` exactly zero."""

    def callbacks(self) -> list:
        """What moves kappa during a training, new for each."""
        return []

    def scores(self, network: nn.Module) -> dict[str, Tensor]:
        """What a plain network is pruned by, {name of a weight: a score of its shape}: magnitudes."""
        from spred_bench.networks.sparsity import weights_of

        return {name: weight.abs() for name, weight in weights_of(network).items()}

    def masks(self, network: nn.Module, ratio: float, batch: tuple[Tensor, Tensor], generator: Generator) -> Masks:
        """What a method that `prunes_at_start` keeps: one weight in `ratio`. batch: training images and labels."""
        raise NotImplementedError(f"{type(self).__module__} does not prune before the training")
