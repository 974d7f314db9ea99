"""What a finished dictionary is like: codes truly sparse, atoms alive, atoms like Gabor functions."""

import io
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from spred_bench.sparse_coding import encode, objective
from spred_bench.sparse_coding.gabor import GABOR_LIKE, GaborFits

# Codes no larger than this fraction of the largest count as zero; two thresholds that agree: converged.
ZERO_THRESHOLDS = (1e-3, 1e-6)
ORIENTATION_BINS = np.linspace(0, 180, 13)  # degrees
FREQUENCY_BINS = np.linspace(0, 0.6, 13)  # cycles a pixel


def measure_codes(X: np.ndarray, B: np.ndarray, kappa: float, gap: float) -> tuple[list[dict], np.ndarray]:
    """(rows, how often each atom is active (k,)) for the codes of patches X (n, m) with the dictionary B (m, k).

    In float64, which certifies smaller gaps than float32 can.
    """
    X, B = X.astype(np.float64), B.astype(np.float64)
    solved = encode(X, B, kappa, gap=gap)
    codes = solved.codes.tocsr()
    values = np.abs(codes.data)
    floors = [threshold * values.max(initial=0.0) for threshold in ZERO_THRESHOLDS]
    zeroed = codes.copy()
    zeroed.data[values <= floors[0]] = 0
    usage = np.bincount(codes.indices[values > floors[-1]], minlength=B.shape[1])
    active = np.bincount(codes.nonzero()[0], minlength=len(X))
    before, after = (objective(X, B, kept, kappa) for kept in (codes, zeroed))
    rows = [{"metric": "final_objective", "value": before}, {"metric": "zeroed_objective", "value": after}]
    rows += [{"metric": "relative_gap", "value": float(solved.gap.max())}]
    rows += [
        {"metric": "zero_rate", "value": 1 - np.sum(values > floor) / (len(X) * B.shape[1]), "threshold": threshold}
        for floor, threshold in zip([0.0, *floors], [0.0, *ZERO_THRESHOLDS], strict=True)
    ]
    rows += [
        {"metric": "final_active_codes", "value": active.mean()},
        {"metric": "alive_rate", "value": float(np.mean(usage > 0))},
        {"metric": "mean_square", "value": float(np.mean(np.sum(np.square(X), axis=1)))},
    ]
    numbers, patches = np.unique(active, return_counts=True)
    rows += [
        {"metric": "active_codes_count", "value": int(count), "threshold": int(number)}
        for number, count in zip(numbers, patches, strict=True)
    ]
    return rows, usage


def measure_atoms(fits: GaborFits, alive: np.ndarray) -> Iterator[dict]:
    """Rows of the Gabor fits of the atoms that are `alive` (k,): share, quartiles, orientations, frequencies."""
    found = fits.r_squared[alive]
    if not len(found):
        return
    like = alive & (fits.r_squared >= GABOR_LIKE)
    yield {"metric": "gabor_rate", "value": float(np.mean(found >= GABOR_LIKE)), "threshold": GABOR_LIKE}
    for quantile in (0.25, 0.5, 0.75):
        value = float(np.quantile(found, quantile))
        yield {"metric": "gabor_r_squared", "value": value, "threshold": quantile}
    for metric, values, bins in (
        ("orientation_count", np.degrees(fits.orientation[like]), ORIENTATION_BINS),
        ("frequency_count", fits.frequency[like], FREQUENCY_BINS),
    ):
        for edge, count in zip(bins, np.histogram(values, bins)[0], strict=False):
            yield {"metric": metric, "value": int(count), "threshold": round(float(edge), 6)}


def save_dictionary(path: Path, B: np.ndarray, usage: np.ndarray, fits: GaborFits) -> None:
    """One .npz: dictionary (m, k) float16, usage (k,) = held-out patches that use an atom, and the fields of `fits`."""
    buffer = io.BytesIO()
    fields = {name: values.astype(np.float32) for name, values in asdict(fits).items()}
    np.savez_compressed(buffer, dictionary=B.astype(np.float16), usage=usage.astype(np.int32), **fields)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(buffer.getvalue())
    os.replace(beside, path)
