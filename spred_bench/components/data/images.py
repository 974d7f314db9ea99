"""What every image source returns: labelled images of 8 bits, the official test set apart, and the dev split."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from spred_bench.errors import UserError

_SPLIT_SEED = 20230211  # of the data, apart from the seeds of the training


@dataclass(frozen=True)
class Images:
    """x_*: (n, channels, height, width) uint8.  y_*: (n,) int64, 0 ... n_classes - 1, every class in y_train.

    `keys` are columns of the record that describe the data.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    n_classes: int
    keys: Mapping = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.x_train.shape[1:]

    def first(self, n_train: int | None) -> "Images":
        """The same with the first `n_train` training images; all of them for None."""
        return replace(self, x_train=self.x_train[:n_train], y_train=self.y_train[:n_train])

    def dev_split(self, fraction: float) -> tuple[np.ndarray, np.ndarray]:
        """(rows to train on, rows held out) of the training set, the same whatever is trained and with what seed."""
        n = len(self.y_train)
        held_out = round(fraction * n)
        if not 0 < held_out < n:
            raise ValueError(f"dev_fraction={fraction} of {n} training images leaves nothing on one side")
        order = np.random.default_rng(_SPLIT_SEED).permutation(n)
        return np.sort(order[held_out:]), np.sort(order[:held_out])


def checked(name: str, x_train, y_train, x_test, y_test) -> Images:
    """Images from arrays in Keras' layout, (n, h, w) or (n, h, w, c), or UserError naming what is wrong with them."""
    x_train, x_test = _pixels(name, "x_train", x_train), _pixels(name, "x_test", x_test)
    y_train, y_test = _labels(name, "y_train", y_train), _labels(name, "y_test", y_test)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise UserError(f"{name}: images are {x_train.shape[1:]} in x_train but {x_test.shape[1:]} in x_test")
    for split, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        if len(x) != len(y) or not len(x):
            raise UserError(f"{name}: {len(x)} images in x_{split}, {len(y)} labels in y_{split}")
    classes = np.unique(y_train)
    n_classes = len(classes)
    if not np.array_equal(classes, np.arange(n_classes)):
        shown = ", ".join(map(str, classes[:5])) + (", ..." if n_classes > 5 else "")
        raise UserError(f"{name}: the classes in y_train are {shown}; expected 0, 1, 2, ... without a gap")
    if unknown := sorted(set(y_test.tolist()) - set(classes.tolist())):
        raise UserError(
            f"{name}: y_test holds class {unknown[0]}; expected the classes of y_train, 0 to {n_classes - 1}"
        )
    return Images(x_train, y_train, x_test, y_test, n_classes)


def _pixels(name: str, key: str, array) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise UserError(f"{name}: {key} has shape {array.shape}; expected (n, h, w) or (n, h, w, channels)")
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] > 4:
        raise UserError(f"{name}: {key} has shape {array.shape}, channels first; expected (n, h, w, channels)")
    if array.dtype != np.uint8:
        inside = array.dtype.kind == "f" and np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1
        if not inside:
            raise UserError(f"{name}: {key} holds {array.dtype}; expected uint8, or floats between 0 and 1")
        array = np.round(array * 255).astype(np.uint8)
    return np.ascontiguousarray(array[:, None] if array.ndim == 3 else np.moveaxis(array, -1, 1))


def _labels(name: str, key: str, array) -> np.ndarray:
    array = np.asarray(array)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UserError(f"{name}: {key} has shape {array.shape}, {array.dtype}; expected (n,) whole numbers")
    return array.astype(np.int64)
