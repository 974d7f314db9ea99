"""Whitening: what makes the strong low frequencies of natural images no louder than the rest."""

from dataclasses import dataclass

import numpy as np

# Olshausen & Field (1997): cut-off 200 cycles a picture of 512 pixels.
_CUT_OFF = 200 / 512


@dataclass(frozen=True)
class Whitening:
    """What was done to the patches, in words, and the matrix (m, m) that does it, patches being rows.

    matrix is None where whole images were filtered before they were cut.
    """

    description: str
    matrix: np.ndarray | None = None


def one_over_f(image: np.ndarray) -> np.ndarray:
    """A grey image (h, w) through the filter f exp(-(f/f0)^4), f0 = 0.39 cycles a pixel (Olshausen & Field 1997).

    The mean of the image goes away. The image is mirrored at its edges, so that these do not ring.
    """
    height, width = image.shape
    mirrored = np.pad(image, ((0, height), (0, width)), mode="symmetric")
    frequency = np.hypot(np.fft.fftfreq(2 * height)[:, None], np.fft.rfftfreq(2 * width))
    spectrum = np.fft.rfft2(mirrored) * frequency * np.exp(-((frequency / _CUT_OFF) ** 4))
    return np.fft.irfft2(spectrum, mirrored.shape)[:height, :width].astype(np.float32)


def zca_matrix(X: np.ndarray, regulariser: float) -> np.ndarray:
    """(C + eps I)^(-1/2) for the covariance C (m, m) of the rows of X (n, m); eps = regulariser x mean eigenvalue."""
    X = X.astype(np.float64)
    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    # Removing each patch's mean leaves one eigenvalue zero: what rounding left there shall not be blown up.
    there = values > 1e-9 * values[-1]
    scales = np.where(there, 1 / np.sqrt(np.where(there, values, 1) + regulariser * values.mean()), 0)
    return (vectors * scales) @ vectors.T
