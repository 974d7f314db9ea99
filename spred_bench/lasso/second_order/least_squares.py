"""The limit alpha = 0 of the lasso: the least-squares solution of minimum norm, which weight decay on (U, V)
does not select.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import svd
from torch import Tensor

from spred_bench.lasso.second_order.design_matrix import Design, combine, correlate, gather
from spred_bench.lasso.second_order.lasso_rounds import refuse_non_finite

_LARGEST_COPY = 50_000_000  # entries of X that may be copied as float64: 400 MB
_BLOCK = 1000  # columns of a larger X held at once


def minimum_norm(design: Design, Y: Tensor) -> tuple[Tensor, np.ndarray]:
    """Minimum-norm solutions (m, p) for Y (n, m); the fraction of |y|^2 that X could still explain (m,).

    By a singular value decomposition; singular values that the precision of X does not resolve are dropped. An X too
    large to be copied goes through the smaller of X X^T and X^T X, where those below 1e-7 of the largest are dropped.
    """
    refuse_non_finite(correlate(design, Y))
    n, p = design.shape
    small = n * p <= _LARGEST_COPY
    U, values, V = _by_columns(design) if small else _by_inner_products(design)
    explained = (U.T @ Y) / values[:, None]
    W = V @ explained
    residual = Y - torch.stack([combine(design, w) for w in W.T], dim=1)
    W += V @ ((U.T @ residual) / values[:, None])
    residual = Y - torch.stack([combine(design, w) for w in W.T], dim=1)
    total = (Y * Y).sum(0)
    left = (U.T @ residual).square().sum(0) / torch.where(total > 0, total, torch.ones_like(total))
    return W.T.contiguous(), left.cpu().numpy()


def _by_columns(design: Design) -> tuple[Tensor, Tensor, Tensor]:
    """U (n, k), singular values (k,) and V (p, k) of X."""
    X = gather(design, torch.arange(design.shape[1], device=design.device)).T
    U, values, Vt = svd(X.cpu().numpy(), full_matrices=False)
    single = "float32" in str(design.X.dtype)
    resolved = values[0] * max(design.shape) * np.finfo(np.float32 if single else np.float64).eps
    k = max(1, int((values > resolved).sum()))
    parts = U[:, :k], np.where(values[:k] > 0, values[:k], np.inf), Vt[:k].T
    U, values, V = (torch.from_numpy(np.ascontiguousarray(part)).to(design.device) for part in parts)
    return U, values, V


def _by_inner_products(design: Design) -> tuple[Tensor, Tensor, Tensor]:
    """The same, from the smaller of X X^T (n, n) and X^T X (p, p)."""
    n, p = design.shape
    blocks = torch.arange(p, device=design.device).split(_BLOCK)
    wide = p > n
    gram = torch.zeros((n, n) if wide else (p, p), dtype=torch.float64, device=design.device)
    for block in blocks:
        rows = gather(design, block)
        if wide:
            gram += rows.T @ rows
        else:
            gram[:, block] = correlate(design, rows.T)
    squares, vectors = torch.linalg.eigh((gram + gram.T) / 2)
    kept = squares > squares[-1].clamp(min=0) * 1e-14
    values, vectors = squares[kept].sqrt(), vectors[:, kept]
    if wide:
        return vectors, values, correlate(design, vectors) / values
    return torch.stack([combine(design, v) for v in vectors.T], dim=1) / values, values, vectors
