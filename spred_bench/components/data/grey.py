"""Grey images from what people have: colour, alpha, palettes, 16 bits."""

import numpy as np

from spred_bench.components.data.pictures import opened

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """(h, w) or (h, w, 1 to 4) -> (h, w) float32; whole numbers are divided by the largest of their type.

    Two or four channels: the last is alpha and left out. Raises ValueError for other shapes and types.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype.kind not in "uifb" or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise ValueError(f"{pixels.dtype} of shape {pixels.shape} is no image")
    largest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
    values = pixels.astype(np.float32) / np.float32(largest)
    if values.ndim == 2:
        return values
    channels = values.shape[2]
    return values[..., :3] @ LUMA if channels >= 3 else values[..., 0]


def read_grey(path) -> np.ndarray:
    """An image file as (h, w) float32, upright. Raises ValueError, with the reason, where it cannot be read."""
    with opened(path) as image:
        if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "PA"):
            image = image.convert("RGB")
        return to_grey(np.asarray(image))
