"""What the convolutional networks share: a width, convolution with batch normalisation, and how weights are drawn."""

from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Generator, nn

from spred_bench.components.contract import component
from spred_bench.components.models import BaseModel


@component
class ByWidth(BaseModel):
    """A component that builds its `network` for a width."""

    width: PositiveInt = 64
    network: ClassVar[type[nn.Module]]

    @property
    def keys(self) -> dict:
        return {"width": self.width}

    def build(self, shape: tuple[int, ...], n_classes: int, generator: Generator) -> nn.Module:
        """One network for images of `shape` (channels, height, width)."""
        return self.network(shape[0], n_classes, self.width, generator)


class ConvBlock(nn.Sequential):
    """Convolution without bias, batch normalisation and, unless `relu` is False, ReLU."""

    def __init__(self, n_inputs: int, n_outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True):
        super().__init__()
        self.conv = nn.Conv2d(n_inputs, n_outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(n_outputs)
        if relu:
            self.relu = nn.ReLU(inplace=True)


@torch.no_grad()
def initialise(network: nn.Module, generator: Generator) -> None:
    """Draw the weights from `generator` alone: convolutions by He et al. (2015), fan out; linear layers uniformly
    within 1 / sqrt(fan in)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            for parameter in module.parameters():
                parameter.uniform_(-bound, bound, generator=generator)
