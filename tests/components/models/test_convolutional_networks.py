"""The convolutional networks: their sizes are the published ones, their outputs do not depend on the image size."""

import pytest
import torch

from spred_bench.components.models import resnet9, resnet18, vgg16_bn
from spred_bench.networks import sparsity

# Parameters at width 64, ten classes, colour images.
SIZES = {resnet18: 11_173_962, resnet9: 6_573_130, vgg16_bn: 14_724_042}


@pytest.mark.parametrize("module", SIZES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_size_at_the_papers_width(module):
    network = module.Model().build((3, 32, 32), 10, torch.Generator().manual_seed(0))
    assert sparsity.n_parameters(network) == SIZES[module]
    assert module.Model().keys == {"width": 64}


@pytest.mark.parametrize("module", SIZES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("size", [32, 7])
def test_any_image_size_and_channels(module, size):
    network = module.Model(width=4).build((2, size, size), 3, torch.Generator().manual_seed(0)).eval()
    images = torch.rand(2, 2, size, size)
    assert network(images).shape == (2, 3)
    torch.testing.assert_close(network(images[:1]), network(images)[:1])
