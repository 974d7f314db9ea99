"""Bootstrap intervals of a mean."""

import numpy as np

_N_RESAMPLES = 10_000


def bootstrap(values, level: float = 0.95) -> tuple[float, float, float]:
    """(mean, lower, upper) of values (n,), percentile method, the same every time; NaN bounds for n < 2."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()) if len(values) else float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(0)
    means = rng.choice(values, (_N_RESAMPLES, len(values))).mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(values.mean()), float(low), float(high)
