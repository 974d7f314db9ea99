"""The relative duality gap of the lasso and the group lasso: one formula for all solvers of this package.

With r = y - X w, q = X'r / n and the dual point c r, c = min(1, alpha / max|q|), the gap is

    (1 - c)^2 |r|^2 / (2n) + alpha |w|_1 - c w.q                                               (1)

in which no two large numbers are subtracted. For the group lasso |w|_1 is the sum of c_g |W_g|, and max|q| the largest
|q_g| / c_g. A relative gap of g proves that the objective at w is within g |y|^2 / (2n) of its minimum.
"""

import numpy as np
from numba.extending import overload, register_jitable


@register_jitable
def relative_gap(rr, wq, penalty, top, alpha, yy):
    """Gap (1) over |y|^2 / (2n); the gap itself where y = 0. Never negative, and infinite where it is not a number.

    rr: |r|^2 / n.  wq: w.q.  penalty: alpha |w|_1.  top: the largest |q|.  yy: |y|^2 / n.
    Floats, in compiled code too; or NumPy arrays or torch tensors of one shape, alpha a float: one gap an entry.
    """
    excess = (top - alpha) * (top > alpha)
    left = excess / (alpha + excess + (top == 0))  # 1 - c
    gap = (0.5 * left * left * rr + penalty - (1 - left) * wq) / (0.5 * yy + (yy == 0))
    return _not_negative(gap)


def _not_negative(gap):
    """Rounding below zero becomes zero, NaN and either infinity become infinity: neither may pass for a small gap."""
    if isinstance(gap, float | np.floating):
        return _not_negative_float(gap)
    finite = gap - gap == 0
    gap = gap.clip(min=0)
    gap[~finite] = np.inf
    return gap


@register_jitable
def _not_negative_float(gap):
    if gap - gap != 0:
        return np.inf
    return gap if gap > 0 else 0.0


@overload(_not_negative)
def _compiled_not_negative(gap):
    return lambda gap: _not_negative_float(gap)
