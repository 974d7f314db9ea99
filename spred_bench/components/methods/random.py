"""Random pruning at initialisation, the control of SNIP and SynFlow: the same share of weights everywhere."""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.methods.weight_decay import Method as WeightDecay
from spred_bench.networks import masks
from spred_bench.networks.sparsity import weights_of


@component
class Method(WeightDecay):
    """Trained like `weight_decay`; kappa is its strength."""

    prunes_at_start: ClassVar = True

    def masks(
        self, network: nn.Module, ratio: float, batch: tuple[Tensor, Tensor], generator: Generator
    ) -> masks.Masks:
        """Keep one weight in `ratio`, drawn uniformly over the whole network; the batch is not looked at."""
        scores = {
            name: torch.rand(weight.shape, generator=generator).to(weight.device)
            for name, weight in weights_of(network).items()
        }
        return masks.compressed(scores, ratio)
