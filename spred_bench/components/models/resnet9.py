"""ResNet-9 (D. Page, "How to train your ResNet", 2018): small and fast to train on images of 32 x 32, also on a CPU."""

from typing import ClassVar

from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.models.convolutional import ByWidth, ConvBlock, initialise


class ResNet9(nn.Module):
    """A stem and three stages that halve the image; the first and the last have a residual pair of convolutions."""

    def __init__(self, n_channels: int, n_classes: int, width: int, generator: Generator):
        super().__init__()
        self.features = nn.Sequential(
            ConvBlock(n_channels, width),
            Stage(width, 2 * width, residual=True),
            Stage(2 * width, 4 * width, residual=False),
            Stage(4 * width, 8 * width, residual=True),
        )
        self.output = nn.Linear(8 * width, n_classes)
        initialise(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images).amax((2, 3)))


class Stage(nn.Module):
    """A convolution, a maximum over squares of 2 x 2, and perhaps x + g(x) with two more convolutions."""

    def __init__(self, n_inputs: int, n_outputs: int, residual: bool):
        super().__init__()
        self.conv = ConvBlock(n_inputs, n_outputs)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        pair = (ConvBlock(n_outputs, n_outputs), ConvBlock(n_outputs, n_outputs))
        self.residual = nn.Sequential(*pair) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv(x))
        return x if self.residual is None else x + self.residual(x)


@component
class Model(ByWidth):
    """width: channels of the first convolution; the last have eight times as many. 64 gives 6.6 million parameters."""

    network: ClassVar = ResNet9
