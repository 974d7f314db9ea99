"""Intervals of a mean over random divisions of the same samples."""

import numpy as np

_N_RESAMPLES = 10_000
_LEVEL = 0.95


def bootstrap(values) -> tuple[float, float, float]:
    """(mean, lower, upper) of values (n,): 95 %, percentile method, the same every time; NaN bounds for n < 2.

    It speaks of further divisions of the same samples, not of new samples.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return _mean(values), float("nan"), float("nan")
    means = np.random.default_rng(0).choice(values, (_N_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return _mean(values), float(low), float(high)


def corrected(values, test_share: float) -> tuple[float, float]:
    """(lower, upper), 95 %, corrected for the samples that the divisions share (Nadeau & Bengio 2003): the t interval
    with variance (1/n + test_share / (1 - test_share)) s^2. NaN for n < 2.
    """
    from scipy.stats import t

    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    error = np.sqrt((1 / n + test_share / (1 - test_share)) * values.var(ddof=1))
    half = t.ppf((1 + _LEVEL) / 2, n - 1) * error
    return float(values.mean() - half), float(values.mean() + half)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
