"""The objective of sparse coding with a fixed dictionary, Eq. (7) of the paper, and its certificate.

    |x - B s|^2 + kappa (|w|^2 + |v|^2),  s = w * v,   has the minima of   |x - B s|^2 + 2 kappa |s|_1        (7)

for every patch x. scikit-learn and SPAMS minimise half of that, `1/2 |x - B s|^2 + alpha |s|_1`: alpha = kappa.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from torch import Tensor

_ROWS = 4096


def objective(X: np.ndarray, B: np.ndarray, codes, kappa: float) -> float:
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


def relative_gaps(r: Tensor, q: Tensor, s: Tensor, half_squares: Tensor, kappa: float) -> Tensor:
    """Duality gap of each patch as a fraction of its objective at s = 0; (n,). No difference of large numbers.

    r (n, m) residuals x - B s, q (n, k) = r B, s (n, k) codes, half_squares (n,) = |x|^2 / 2. The dual point is c r
    with c = min(1, kappa / max|q|); with x = r + B s the gap is (1 - c)^2 |r|^2 / 2 + kappa |s|_1 - c s.q.
    """
    c = kappa / q.abs().amax(1).clamp_min(kappa)
    gap = 0.5 * (1 - c).square() * r.square().sum(1) + kappa * s.abs().sum(1) - c * (s * q).sum(1)
    return (gap / half_squares.clamp_min(1e-30)).clamp_min(0.0)
