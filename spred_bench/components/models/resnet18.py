"""ResNet18 (He et al. 2016) for images of 32 x 32: a first convolution of 3 x 3 and no pooling before the blocks."""

from typing import ClassVar

from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.models.convolutional import ByWidth, ConvBlock, initialise


class ResNet18(nn.Module):
    """Four stages of two basic blocks each."""

    def __init__(self, n_channels: int, n_classes: int, width: int, generator: Generator):
        super().__init__()
        self.stem = ConvBlock(n_channels, width)
        stages, before = [], width
        for stage in range(4):
            after = width * 2**stage
            stages.append(nn.Sequential(BasicBlock(before, after, 1 if stage == 0 else 2), BasicBlock(after, after)))
            before = after
        self.stages = nn.Sequential(*stages)
        self.output = nn.Linear(before, n_classes)
        initialise(self, generator)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.stages(self.stem(images)).mean((2, 3)))


class BasicBlock(nn.Module):
    """Two convolutions of 3 x 3 beside a shortcut, a convolution of 1 x 1 where the shape changes."""

    def __init__(self, n_inputs: int, n_outputs: int, stride: int = 1):
        super().__init__()
        self.first = ConvBlock(n_inputs, n_outputs, stride=stride)
        self.second = ConvBlock(n_outputs, n_outputs, relu=False)
        same = stride == 1 and n_inputs == n_outputs
        self.shortcut = nn.Identity() if same else ConvBlock(n_inputs, n_outputs, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.second(self.first(x)) + self.shortcut(x))


@component
class Model(ByWidth):
    """width: channels of the first stage, doubled at each of the three others; 64 gives 11.2 million parameters."""

    network: ClassVar = ResNet18
