"""A straight line through points: slope, intercept and how much of the variance it explains."""

from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """y = intercept + slope x; NaN throughout where the points do not determine a line."""

    slope: float
    intercept: float
    r_squared: float


def fit_line(x, y) -> Line:
    """Least squares; x, y: (n,). R^2 is NaN where y does not vary."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or np.ptp(x) == 0:
        return Line(np.nan, np.nan, np.nan)
    centred = x - x.mean()
    slope = centred @ (y - y.mean()) / (centred @ centred)
    intercept = y.mean() - slope * x.mean()
    total = np.square(y - y.mean()).sum()
    left = np.square(y - intercept - slope * x).sum()
    return Line(float(slope), float(intercept), float(1 - left / total) if total > 0 else np.nan)
