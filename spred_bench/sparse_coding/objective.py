"""The objective of sparse coding with a fixed dictionary, Eq. (7) of the paper.

    |x - B s|^2 + kappa (|w|^2 + |v|^2),  s = w * v,   has the minima of   |x - B s|^2 + 2 kappa |s|_1        (7)

for every patch x. scikit-learn and SPAMS minimise half of that, `1/2 |x - B s|^2 + alpha |s|_1`: alpha = kappa.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

_ROWS = 4096


def objective(X: np.ndarray, B: np.ndarray, codes: Any, kappa: float) -> float:
    """Mean over the patches of |x - B s|^2 + 2 kappa |s|_1, in float64.

    X (n, m) patches in rows, B (m, k) atoms in columns, codes (n, k): `Codes`, a SciPy sparse matrix or an array.
    """
    S = sparse.csr_matrix(getattr(codes, "codes", codes))
    X, Bt, total = np.asarray(X), np.asarray(B, dtype=np.float64).T, 0.0
    for start in range(0, len(X), _ROWS):
        rows = slice(start, start + _ROWS)
        residual = X[rows] - S[rows] @ Bt
        total += float((residual * residual).sum())
    return (total + 2 * kappa * float(np.abs(S.data).sum(dtype=np.float64))) / len(X)
