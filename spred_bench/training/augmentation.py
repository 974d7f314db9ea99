"""Augmentation of whole batches on the device they lie on; every random number from the generator given."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn


def augment(padding: int, flip: bool) -> Callable[[tuple, Generator], tuple]:
    """A transform for `Minibatches`: random crops after padding by `padding` zeros, and random mirroring."""

    def transform(batch: tuple, generator: Generator) -> tuple:
        images, *rest = batch
        if padding:
            images = random_crop(images, padding, generator)
        if flip:
            images = random_flip(images, generator)
        return images, *rest

    return transform


def random_crop(images: Tensor, padding: int, generator: Generator) -> Tensor:
    """Each of images (n, c, h, w), padded by zeros on all sides, is cut at a place of its own to the size it had."""
    n, _, height, width = images.shape
    shifts = torch.randint(2 * padding + 1, (2, n), generator=generator, device=images.device)
    padded = nn.functional.pad(images, [padding] * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: (n, c, places, places, h, w)
    return windows[torch.arange(n, device=images.device), :, shifts[0], shifts[1]]


def random_flip(images: Tensor, generator: Generator) -> Tensor:
    """Each image is mirrored, left to right, with probability a half."""
    mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
