"""Plain group lasso by subgradient: the penalty 2 kappa sum_g |W_g|_2 added to the loss, the rival of Algorithm 2."""

from fnmatch import fnmatchcase
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat
from torch import Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.training.optimizers import per_network, split_parameters


@component
class Method(BaseMethod):
    """names: one glob on the parameters penalised.  dim: the dimension along which a group extends.

    weight_decay: of the other weights, so that they do not grow to make up for the shrinking ones.
    """

    names: str
    dim: int = -1
    weight_decay: NonNegativeFloat = 1e-4

    strengths: ClassVar = (1e-3, 1e-2)

    @property
    def stacks(self) -> bool:
        """Counted from the end, a dimension is the same one in a stack."""
        return self.dim < 0

    def prepare(self, network: nn.Module, generator=None) -> None:
        """Only check that there is something to penalise."""
        self._chosen(network)

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """The penalised weights without decay, the others with their own, biases and normalisation with none."""
        chosen = {id(parameter) for parameter in self._chosen(network)}
        weights, rest = split_parameters(network)
        decayed = [parameter for parameter in weights if id(parameter) not in chosen]
        free = [parameter for parameter in weights if id(parameter) in chosen] + rest
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": free, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def penalty(self, network: nn.Module, kappa) -> Tensor:
        """2 kappa times the sum of the groups' norms; its subgradient at a zero group is zero."""
        norms = [torch.linalg.vector_norm(parameter, dim=self.dim) for parameter in self._chosen(network)]
        return torch.stack([(2 * per_network(kappa, norm) * norm).sum() for norm in norms]).sum()

    @torch.no_grad()
    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """Groups whose root mean square is up to `threshold` become zero."""
        for parameter in self._chosen(network):
            rms = parameter.square().mean(self.dim, keepdim=True).sqrt()
            parameter.mul_(rms > threshold)
        return network

    def _chosen(self, network: nn.Module) -> list[nn.Parameter]:
        chosen = [p for name, p in network.named_parameters() if fnmatchcase(name, self.names)]
        if not chosen:
            raise ValueError(f"names={self.names} matches no parameter of {type(network).__name__}")
        return chosen
