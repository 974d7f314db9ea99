"""How much a selection changes from one sampling to the next."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def stability(selections: Sequence[set], n_features: int) -> float:
    """Nogueira, Sechidis & Brown (2018), Eq. (4): 1 for equal sets, 0 on average for random ones of the same sizes.

    Kuncheva's index, the mean over pairs of sets, is the case of equal sizes. NaN for fewer than two sets, or where all
    are empty or complete.
    """
    m, sizes = len(selections), [len(chosen) for chosen in selections]
    share = np.mean(sizes) / n_features if m > 1 else 0.0
    if share in (0, 1):
        return float("nan")
    _, counts = np.unique([feature for chosen in selections for feature in chosen], return_counts=True)
    frequency = counts / m
    variance = m / (m - 1) * (frequency * (1 - frequency)).sum() / n_features
    return float(1 - variance / (share * (1 - share)))


def jaccard(selections: Sequence[set]) -> float:
    """Mean over pairs of |A and B| / |A or B|, not corrected for chance; pairs of empty sets left out."""
    ratios = [len(a & b) / len(a | b) for a, b in combinations(selections, 2) if a | b]
    return float(np.mean(ratios)) if ratios else float("nan")
