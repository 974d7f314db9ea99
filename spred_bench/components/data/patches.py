"""Patches of natural images: how they are cut from images, split, whitened, and what every source of them returns."""

import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.whitening import Whitening, one_over_f, zca_matrix
from spred_bench.errors import UserError

_HELD_OUT_SHARE = 0.2  # of the images, or of the area of each where there are fewer than _FEW_IMAGES
_FEW_IMAGES = 5
_FITTED_ON = 20_000  # patches that the whitening is fitted on, if there are as many
_SPLIT_SEED = 20230211  # of the data, apart from the seeds of the learning


@dataclass(frozen=True)
class Patches:
    """train: (n, side^2) and held_out: (m, side^2), float32, one patch a row, each pixel row after row.

    The mean square of a training patch's pixels is 1, up to sampling. No pixel of an image is in both. `skipped` says
    which images were left out and why, `n_constant` how many drawn patches were, for having no contrast.
    """

    train: np.ndarray
    held_out: np.ndarray
    side: int
    whitening: Whitening
    skipped: Mapping[str, str]
    n_constant: int


@dataclass(frozen=True)
class Found:
    """Grey images (h, w) float32 by name, and those that cannot be used, with the reason."""

    images: Mapping[str, np.ndarray]
    skipped: Mapping[str, str]


@component
class PatchSource(BaseSource):
    """What the sources of patches have in common.

    side: of a patch, in pixels.  n_patches, n_held_out: how many to learn from and to judge on.  whitening: zca (on
    patches), one_over_f (on whole images), none.  regulariser: of zca, in units of the mean variance of a pixel.
    """

    side: Annotated[int, Field(ge=4, le=64)] = 16
    n_patches: PositiveInt = 40_000
    n_held_out: PositiveInt = 5_000
    whitening: Literal["zca", "one_over_f", "none"] = "zca"
    regulariser: NonNegativeFloat = 0.5

    @abstractmethod
    def read(self) -> Found:
        """The images. Raises UserError where there are none."""

    def check(self) -> None:
        """Read the images now, so that a run does not begin without them."""
        _ = self._usable

    def load(self, seed: int) -> Patches:
        """Patches from the places that `seed` draws; which images are held out does not depend on it."""
        found = self._usable
        if found.skipped:
            reasons = ", ".join(f"{name} ({reason})" for name, reason in found.skipped.items())
            number = f"{len(found.skipped)} of {len(found.skipped) + len(found.images)}"
            print(f"note: {number} images skipped: {reasons}", file=sys.stderr)
        return cut(found, self.side, self.n_patches, self.n_held_out, self.whitening, self.regulariser, seed)

    @cached_property
    def _usable(self) -> Found:
        found = self.read()
        small = {
            name: f"{image.shape[1]} x {image.shape[0]} pixels, a patch has {self.side} x {self.side}"
            for name, image in found.images.items()
            if min(image.shape) < self.side
        }
        foreign = {name: "holds NaN or inf" for name, image in found.images.items() if not np.isfinite(image).all()}
        skipped = {**found.skipped, **small, **foreign}
        left = {name: image for name, image in found.images.items() if name not in skipped}
        if not left:
            name, reason = next(iter(skipped.items()))
            source = type(self).__module__.rpartition(".")[2]
            raise UserError(f"data.{source}: none of {len(skipped)} images is of use; {name}: {reason}")
        return Found(left, skipped)


def cut(
    found: Found, side: int, n_patches: int, n_held_out: int, whitening: str, regulariser: float, seed: int
) -> Patches:
    """Draw, centre and whiten patches. UserError where there are too few.

    More patches begin with the fewer; what is held out, and the sample that the whitening is fitted on, do not depend
    on n_patches, so that objectives after learning from few and from many compare.
    """
    train_areas, held_out_areas = split(list(found.images.values()), side)
    filtered = one_over_f if whitening == "one_over_f" else None
    train, constant = draw(train_areas, side, max(n_patches, _FITTED_ON), [seed, 0], filtered)
    held_out, _ = draw(held_out_areas, side, n_held_out, [seed, 1], filtered)
    for key, asked, given in (("n_patches", n_patches, train), ("n_held_out", n_held_out, held_out)):
        if len(given) < asked:
            raise UserError(
                f"data: {key}={asked}, but the images have only {len(given)} different patches with contrast"
            )
    sample = train[:_FITTED_ON]
    matrix = zca_matrix(sample, regulariser).astype(np.float32) if whitening == "zca" else None
    words = {
        "zca": f"ZCA on patches, regulariser {regulariser:g} of the mean variance",
        "one_over_f": "filter f exp(-(f/0.39)^4) on images",
        "none": "none",
    }[whitening]
    if matrix is not None:
        sample = sample @ matrix
    scale = np.float32(1 / np.sqrt(np.mean(np.square(sample), dtype=np.float64)))
    matrix = None if matrix is None else scale * matrix
    train, held_out = (X * scale if matrix is None else X @ matrix for X in (train[:n_patches], held_out))
    return Patches(train, held_out, side, Whitening(words, matrix), found.skipped, constant)


def split(images: list[np.ndarray], side: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(areas to learn from, areas held out): whole images, or parts of each where there are few. No pixel in both."""
    if len(images) >= _FEW_IMAGES:
        order = np.random.default_rng(_SPLIT_SEED).permutation(len(images))
        n_held_out = round(_HELD_OUT_SHARE * len(images))
        return [images[i] for i in sorted(order[n_held_out:])], [images[i] for i in sorted(order[:n_held_out])]
    train, held_out = [], []
    for image in images:
        upright = image if image.shape[0] >= image.shape[1] else image.T
        at = min(round((1 - _HELD_OUT_SHARE) * len(upright)), len(upright) - side)
        parts = [upright[:at], upright[at:]] if at >= side else [upright]
        parts = parts if upright is image else [part.T for part in parts]
        train.append(parts[0])
        held_out += parts[1:]
    if not held_out:
        sizes = ", ".join(f"{image.shape[1]} x {image.shape[0]}" for image in images)
        raise UserError(f"data: nothing can be held out of images of {sizes}: none has two patches of {side} x {side}")
    return train, held_out


def draw(areas, side: int, n: int, seed, filtered=None) -> tuple[np.ndarray, int]:
    """n different patches (n, side^2) float32 with contrast, their means removed, and how many drawn had none.

    Fewer where `areas` have no more. Places are drawn evenly over all areas; `filtered` is applied to these, but
    contrast is that of the pixels themselves.
    """
    places = np.array([(area.shape[0] - side + 1) * (area.shape[1] - side + 1) for area in areas])
    order = np.random.default_rng(seed).permutation(int(places.sum()))
    kept, looked_at = [np.empty(0, np.int64)], 0
    while looked_at < len(order) and (missing := n - sum(map(len, kept))) > 0:
        chosen = order[looked_at : looked_at + missing]
        looked_at += len(chosen)
        kept.append(chosen[np.ptp(_at(areas, places, chosen, side), axis=1) > 0])
    chosen = np.concatenate(kept)
    X = _at(areas if filtered is None else [filtered(area) for area in areas], places, chosen, side)
    return X - X.mean(axis=1, keepdims=True), looked_at - len(chosen)


def _at(areas, places: np.ndarray, chosen: np.ndarray, side: int) -> np.ndarray:
    """The patches (n, side^2) at the chosen numbers, counted through the areas row by row."""
    X = np.empty((len(chosen), side * side), np.float32)
    ends = np.cumsum(places)
    which = np.searchsorted(ends, chosen, side="right")
    for i in np.unique(which):
        rows = np.flatnonzero(which == i)
        windows = np.lib.stride_tricks.sliding_window_view(areas[i], (side, side))
        at = np.unravel_index(chosen[rows] - (ends[i] - places[i]), windows.shape[:2])
        X[rows] = windows[at].reshape(len(rows), -1)
    return X
