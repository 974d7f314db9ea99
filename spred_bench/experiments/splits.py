"""Labelled images on the device: training, dev and test split, ready for a network."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spred_bench.components.data.images import Images


@dataclass(frozen=True)
class LabelledImages:
    """Images (n, channels, height, width), floats within 0 and 1 or standardised, and labels (n,), on the device."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Data:
    """The three splits, image shape and number of classes."""

    train: LabelledImages
    dev: LabelledImages
    test: LabelledImages
    shape: tuple[int, ...]
    n_classes: int


def to_device(images: Images, dev_fraction: float, device: str, standardise: bool = False) -> Data:
    """Split off dev and move everything to `device`.

    standardise: each channel to mean 0 and deviation 1 over the training rows, so that padding with 0 is neutral.
    """
    rows, dev_rows = images.dev_split(dev_fraction)

    def split(x, y) -> LabelledImages:
        return LabelledImages(torch.from_numpy(x).to(device).float().div_(255), torch.from_numpy(y).to(device))

    splits = (
        split(images.x_train[rows], images.y_train[rows]),
        split(images.x_train[dev_rows], images.y_train[dev_rows]),
        split(images.x_test, images.y_test),
    )
    if standardise:
        spread, mean = torch.std_mean(splits[0].images, (0, 2, 3), keepdim=True)
        for part in splits:
            part.images.sub_(mean).div_(spread.clamp_min(1e-6))
    return Data(*splits, images.shape, images.n_classes)
