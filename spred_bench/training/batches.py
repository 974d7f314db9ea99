"""Batches drawn from tensors that already lie on the training device: no workers, no copies from the host.

A source is an endless iterator that knows its `steps_per_epoch` and can save and restore its position.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor


class FullBatch:
    """The same batch, whatever it is, at every step; one step is one epoch."""

    steps_per_epoch = 1

    def __init__(self, batch: Any):
        self.batch = batch

    def __iter__(self) -> Iterator:
        return self

    def __next__(self):
        return self.batch

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass


class Minibatches:
    """Tuples of rows of `tensors`, each epoch in a new order that depends on `seed` alone, not on the device.

    tensors: all of length n along dimension 0, on one device.
    transform: `transform(batch, generator) -> batch`, for augmentation on the device. `generator` lives on that device,
        is seeded by `seed` and is part of the saved position: draw every random number from it.
    drop_last: leave out the last batch of an epoch if it is short (batch normalisation needs more than a few samples).
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        transform: Callable[[tuple[Tensor, ...], torch.Generator], tuple] | None = None,
    ):
        lengths = {len(t) for t in tensors}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"tensors of one common, positive length needed, got {[len(t) for t in tensors]}")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: must be at least 1")
        self.tensors, self.shuffle, self.transform = tensors, shuffle, transform
        self.length = lengths.pop()
        self.batch_size = min(batch_size, self.length)
        full, rest = divmod(self.length, self.batch_size)
        self.steps_per_epoch = full + (rest > 0 and not drop_last)
        self.device = tensors[0].device
        self._order_generator = torch.Generator().manual_seed(seed)
        self._transform_generator = torch.Generator(self.device).manual_seed(seed) if transform else None
        self.epoch, self.index, self._order = 0, 0, None
        self._epoch_start = self._order_generator.get_state()

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self

    def __next__(self) -> tuple[Tensor, ...]:
        if self.shuffle and self._order is None:
            # Drawn on the CPU, so that the order is the same on every device.
            self._order = torch.randperm(self.length, generator=self._order_generator).to(self.device)
        part = slice(self.index * self.batch_size, (self.index + 1) * self.batch_size)
        if self.shuffle:
            rows = self._order[part]
            batch = tuple(t.index_select(0, rows) for t in self.tensors)
        else:
            batch = tuple(t[part] for t in self.tensors)
        self.index += 1
        if self.index == self.steps_per_epoch:
            self.epoch, self.index, self._order = self.epoch + 1, 0, None
            self._epoch_start = self._order_generator.get_state()
        return self.transform(batch, self._transform_generator) if self.transform else batch

    def state_dict(self) -> dict:
        """The position: epoch, index in it, and the generator before this epoch's order was drawn."""
        state = {"epoch": self.epoch, "index": self.index, "order": self._epoch_start}
        if self._transform_generator is not None:
            state["transform"] = self._transform_generator.get_state()
        return state

    def load_state_dict(self, state: dict) -> None:
        self.epoch, self.index, self._order = state["epoch"], state["index"], None
        self._epoch_start = state["order"]
        self._order_generator.set_state(state["order"])
        if self._transform_generator is not None:
            self._transform_generator.set_state(state["transform"])


def as_batches(batches):
    """A source as it is; anything else (tensor, tuple, dict, None) as the full batch."""
    return batches if hasattr(batches, "steps_per_epoch") else FullBatch(batches)
