"""VGG16 (Simonyan & Zisserman 2015) with batch normalisation and one linear layer, as used on images of 32 x 32."""

from typing import ClassVar

from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.models.convolutional import ByWidth, ConvBlock, initialise

_STAGES = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # channels in units of the width, convolutions


class Vgg16(nn.Module):
    """Thirteen convolutions in five stages, each followed by a maximum over squares of 2 x 2."""

    def __init__(self, n_channels: int, n_classes: int, width: int, generator: Generator):
        super().__init__()
        layers, before = [], n_channels
        for multiple, n_convolutions in _STAGES:
            for _ in range(n_convolutions):
                layers.append(ConvBlock(before, multiple * width))
                before = multiple * width
            layers.append(nn.MaxPool2d(2, ceil_mode=True))  # an image of one pixel stays one
        self.features = nn.Sequential(*layers)
        self.output = nn.Linear(before, n_classes)
        initialise(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images).mean((2, 3)))


@component
class Model(ByWidth):
    """width: channels of the first stage; 64 gives 14.7 million parameters."""

    network: ClassVar = Vgg16
