"""Plain L1 by subgradient: the penalty 2 kappa |w|_1 added to the loss, on every weight."""

from typing import ClassVar

from torch import Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.training.optimizers import per_network, split_parameters


@component
class Method(BaseMethod):
    """No parameters: kappa is the strength."""

    strengths: ClassVar = (3e-4, 3e-3)
    stacks: ClassVar = True

    def prepare(self, network: nn.Module, generator=None) -> None:
        """Nothing: the network stays as it is."""

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """Everything without decay."""
        return [{"params": list(network.parameters()), "weight_decay": 0.0}]

    def penalty(self, network: nn.Module, kappa) -> Tensor:
        """2 kappa |w|_1 over weights, not biases or normalisation; its subgradient at zero is zero."""
        weights, _ = split_parameters(network)
        return sum((2 * per_network(kappa, weight) * weight.abs()).sum() for weight in weights)

    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """Weights up to `threshold` become zero; the subgradient method itself ends near zero, hardly ever on it."""
        weights, _ = split_parameters(network)
        for weight in weights:
            weight.data.mul_(weight.data.abs() > threshold)
        return network
