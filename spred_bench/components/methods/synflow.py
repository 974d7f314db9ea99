"""SynFlow (Tanaka et al. 2020): pruning at initialisation, without data, so that no layer dies before the others.

The score of a weight is its share |w| dR/d|w| of R, the output for an image of ones of the network with all weights
replaced by their magnitudes. It is computed anew in each of many rounds, while the compression grows geometrically.
"""

import copy
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.methods.weight_decay import Method as WeightDecay
from spred_bench.networks import masks
from spred_bench.networks.sparsity import weights_of


@component
class Method(WeightDecay):
    """n_rounds: of pruning.  Trained like `weight_decay`; kappa is its strength."""

    n_rounds: PositiveInt = 100

    prunes_at_start: ClassVar = True

    def masks(
        self, network: nn.Module, ratio: float, batch: tuple[Tensor, Tensor], generator: Generator
    ) -> masks.Masks:
        """Keep one weight in `ratio`. Of the batch only the shape of its images is used."""
        linear = copy.deepcopy(network).double().eval()  # float32 overflows in deep networks
        parameters = {name: linear.get_parameter(name) for name in weights_of(linear)}
        with torch.no_grad():
            for parameter in linear.parameters():
                parameter.abs_()
        ones = torch.ones(1, *batch[0].shape[1:], dtype=torch.float64, device=batch[0].device)
        for step in range(1, self.n_rounds + 1):
            with torch.enable_grad():
                gradients = torch.autograd.grad(linear(ones).sum(), list(parameters.values()))
            scores = {name: w.detach() * g for (name, w), g in zip(parameters.items(), gradients, strict=True)}
            kept = masks.compressed(scores, ratio ** (step / self.n_rounds))
            with torch.no_grad():
                for name, mask in kept.items():
                    parameters[name].mul_(mask)
        return kept
