"""Augmentation: crops and mirrors as said, each image by itself, reproducible from the position of a checkpoint."""

import torch

from spred_bench.training.augmentation import augment, random_crop, random_flip
from spred_bench.training.batches import Minibatches


def images(n: int = 400) -> torch.Tensor:
    return torch.arange(1.0, n * 2 * 3 * 4 + 1).view(n, 2, 3, 4)


def test_crops_are_windows_of_the_padded_image():
    x = images()
    cropped = random_crop(x, 1, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(x, [1] * 4)
    seen = set()
    for image, whole in zip(cropped, padded, strict=True):
        places = [(i, j) for i in range(3) for j in range(3) if torch.equal(image, whole[:, i : i + 3, j : j + 4])]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) == 9


def test_half_of_the_images_are_mirrored_whole():
    x = images()
    flipped = random_flip(x, torch.Generator().manual_seed(0))
    same = (flipped == x).flatten(1).all(1)
    assert torch.equal(flipped[~same], x[~same].flip(3))
    assert 150 < same.sum() < 250


def test_without_padding_and_mirroring_nothing_changes():
    batch = (images(5), torch.arange(5))
    after = augment(0, False)(batch, torch.Generator())
    assert torch.equal(after[0], batch[0]) and torch.equal(after[1], batch[1])


def test_a_restored_position_gives_the_same_pictures():
    def batches():
        return Minibatches(images(10), torch.arange(10), batch_size=4, seed=3, transform=augment(1, True))

    first, second = batches(), batches()
    for _ in range(4):
        next(first)
    second.load_state_dict(first.state_dict())
    for _ in range(5):
        for one, other in zip(next(first), next(second), strict=True):
            assert torch.equal(one, other)
