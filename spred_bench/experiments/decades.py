"""Histograms of magnitudes on a logarithmic axis, in bins of a quarter decade."""

import numpy as np
from torch import Tensor


def counts_by_decade(magnitudes: Tensor, smallest: float, largest: float) -> list[tuple[float, int]]:
    """(lower edge, count) of the bins that are not empty; the bins cover 10^smallest to 10^largest.

    The first bin takes everything smaller, zeros too, and the last one everything larger.
    """
    edges = np.arange(smallest, largest + 0.01, 0.25)
    exponents = magnitudes.double().clamp_min(1e-300).log10().flatten().cpu().numpy()
    counts, _ = np.histogram(np.clip(exponents, edges[0], edges[-1] - 1e-9), edges)
    return [(float(10.0**edge), int(count)) for edge, count in zip(edges[:-1], counts, strict=True) if count]
