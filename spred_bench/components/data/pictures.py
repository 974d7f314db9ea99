"""Image files of the user's: upright, of a known depth, or refused in one line."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def opened(path: Path) -> Iterator:
    """A PIL image, turned as its EXIF orientation says; one of 16 bits has mode I;16.

    Raises ValueError, with the reason, for a file that is no image, for more pixels than PIL takes for safe, and for
    whole numbers of 32 bits beyond 65535: their scale is not known.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as stored:
                image = ImageOps.exif_transpose(stored)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ValueError(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
        except UnidentifiedImageError:
            raise ValueError("no image that PIL knows") from None
        except (OSError, SyntaxError, EOFError) as error:  # PIL's readers of single formats
            raise ValueError(f"cannot be read, {type(error).__name__}: {error}") from None
    yield _of_16_bits(image) if image.mode == "I" else image


def _of_16_bits(image):
    """16 bits often come as 32."""
    from PIL import Image

    pixels = np.asarray(image)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"whole numbers of 32 bits, {pixels.min()} to {pixels.max()}; expected 0 to 65535")
    return Image.fromarray(pixels.astype(np.uint16))
