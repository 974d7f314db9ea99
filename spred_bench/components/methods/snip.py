"""SNIP (Lee et al. 2019): pruning at initialisation by |w dL/dw|, the change of the loss if the weight went."""

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
        """Keep one weight in `ratio`, the most sensitive on `batch`: images and labels of the training set."""
        parameters = {name: network.get_parameter(name) for name in weights_of(network)}
        images, labels = batch
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(network(images), labels)
            gradients = torch.autograd.grad(loss, list(parameters.values()))
        scores = {name: (w.detach() * g).abs() for (name, w), g in zip(parameters.items(), gradients, strict=True)}
        return masks.compressed(scores, ratio)
