"""STR, soft threshold reparametrization (Kusupati et al. 2020): w = sign(v) max(|v| - sigmoid(s), 0).

Every layer learns its s. Decay 2 kappa on v and s alike drives s towards zero and the threshold sigmoid(s) up; the loss
holds against it.
"""

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.redundancy.selection import DEFAULT_TYPES


@component
class Method(BaseMethod):
    """initial: s at the start; the more negative, the longer the network stays dense."""

    initial: float = -10.0

    strengths: ClassVar = (1e-3, 1e-2)

    def prepare(self, network: nn.Module, generator: Generator | None = None) -> None:
        """Thresholds on every linear and convolution weight, which keeps its value."""
        for module in _layers(network):
            threshold = SoftThreshold(torch.full((), self.initial, device=module.weight.device))
            parametrize.register_parametrization(module, "weight", threshold)

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """v and s with decay 2 kappa, biases and normalisation with none."""
        inside = {id(p) for module in _layers(network) for p in module.parametrizations.parameters()}
        members = {True: [], False: []}
        for parameter in network.parameters():
            members[id(parameter) in inside].append(parameter)
        groups = [{"params": members[True], "weight_decay": 2 * kappa}, {"params": members[False], "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """The thresholded weights as plain ones, those up to `threshold` zero."""
        for module in _layers(network):
            parametrize.remove_parametrizations(module, "weight")
            module.weight.data.mul_(module.weight.data.abs() > threshold)
        return network


class SoftThreshold(nn.Module):
    """sign(v) max(|v| - sigmoid(s), 0)."""

    def __init__(self, s: Tensor):
        super().__init__()
        self.s = nn.Parameter(s)

    def forward(self, v: Tensor) -> Tensor:
        return v.sign() * (v.abs() - self.s.sigmoid()).relu()

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight + weight.sign() * self.s.sigmoid()


def _layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, DEFAULT_TYPES)]
