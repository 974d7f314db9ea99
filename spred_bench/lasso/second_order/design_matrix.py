"""Passes over a design matrix X (n, p), however it is stored, without copying it.

The lasso solvers touch X in three ways only: correlate all columns with a residual (one pass), gather a
few columns, and combine columns. Dense NumPy arrays (either order, float32 or float64) and torch tensors
on any device are wrapped without a copy; SciPy sparse matrices stay sparse, and only gathered columns
become dense. Centering (for an intercept) and sample weights are applied implicitly: the wrapped matrix is
diag(sqrt(s)) (X - 1 m^T), which is never formed. Everything returned is a float64 tensor on the device of
X.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spred_bench.system.jit import compiled_alone

# The threads of torch do not survive a fork: a child that waited for them would hang.
os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))

_BLOCK = 512  # columns widened to float64 at a time


@dataclass(frozen=True)
class Design:
    """A matrix X (n, p) with implicit column means (p,) and row scales (n,), either of which may be None."""

    X: Any  # torch.Tensor (n, p) or scipy.sparse csc_array / csr_array (n, p)
    shape: tuple[int, int]
    device: torch.device
    is_sparse: bool
    means: Tensor | None = None
    row_scale: Tensor | None = None


def as_tensor(array: np.ndarray) -> Tensor:
    """Share a NumPy array's memory as a tensor; read-only arrays are accepted because nothing here writes to
    them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def wrap_design(X) -> Design:
    """Wrap X (n, p) without copying it; integers and half precision become float64 first. ValueError if not
    2-d or empty.
    """
    sparse = hasattr(X, "tocsc") and hasattr(X, "nnz")
    if not sparse and not isinstance(X, Tensor):
        X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be a matrix with at least one row and one column, got shape {tuple(X.shape)}")
    if sparse:
        X = X if X.format in ("csr", "csc") else X.tocsc()
        X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
        if not np.isfinite(X.data).all():
            raise ValueError("X contains NaN or infinity")
        return Design(X, tuple(X.shape), torch.device("cpu"), True)
    if not isinstance(X, Tensor):
        if X.dtype.kind not in "buif":
            raise ValueError(f"X must be real numbers, got dtype {X.dtype}")
        usable = X.dtype in (np.float32, np.float64) and X.dtype.isnative and min(X.strides) >= 0
        X = as_tensor(X if usable else np.ascontiguousarray(X, dtype=np.float64))
    if X.dtype not in (torch.float32, torch.float64):
        X = X.to(torch.float64)
    return Design(X.detach(), tuple(X.shape), X.device, False)


def with_rows(design: Design, row_scale: Tensor | None, centered: bool) -> Design:
    """Add row scales s (n,), the square roots of weights that sum to n, and centering by the weighted column
    means.
    """
    if not centered:
        return replace(design, row_scale=row_scale)
    n = design.shape[0]
    weights = torch.ones(n, dtype=torch.float64, device=design.device) if row_scale is None else row_scale**2
    return replace(design, means=_correlate_raw(design, weights) / n, row_scale=row_scale)


def correlate(design: Design, R: Tensor) -> Tensor:
    """X^T R for R (n,) or (n, m) float64: one pass over X, summed in float64. Returns (p,) or (p, m)."""
    if design.row_scale is not None:
        R = R * (design.row_scale if R.ndim == 1 else design.row_scale[:, None])
    product = _correlate_raw(design, R)
    if design.means is not None:
        totals = R.sum(0)
        product -= design.means * totals if R.ndim == 1 else design.means[:, None] * totals
    return product


def gather(design: Design, columns: Tensor, out: Tensor | None = None) -> Tensor:
    """The chosen columns (k,) as the rows of a contiguous float64 matrix (k, n), in `out` if given."""
    plain = not design.is_sparse and design.X.dtype == torch.float64 and design.X.stride(0) <= design.X.stride(1)
    if out is not None:
        if plain:
            torch.index_select(design.X.T, 0, columns, out=out)
            return _transform(design, columns, out)
        return out.copy_(gather(design, columns))
    if design.is_sparse:
        rows = torch.from_numpy(np.ascontiguousarray(design.X[:, columns.numpy()].toarray().T, dtype=np.float64))
    elif design.X.stride(0) <= design.X.stride(1):  # column-major: each column is contiguous
        rows = design.X.T.index_select(0, columns).to(torch.float64)
    else:
        rows = design.X.index_select(1, columns).T.to(torch.float64)
    return _transform(design, columns, rows.contiguous())


def _transform(design: Design, columns: Tensor, rows: Tensor) -> Tensor:
    if design.means is not None:
        rows -= design.means[columns, None]
    if design.row_scale is not None:
        rows *= design.row_scale
    return rows


def all_rows(design: Design) -> Tensor:
    """Every column as the rows of a float64 matrix (p, n): a view where X allows one, so only for small p
    otherwise.
    """
    plain = design.means is None and design.row_scale is None and not design.is_sparse
    if plain and design.X.dtype == torch.float64:
        return design.X.T
    return gather(design, torch.arange(design.shape[1], device=design.device))


def combine(design: Design, w: Tensor) -> Tensor:
    """X w for w (p,) float64: gathers the nonzero columns if they are few, else one pass over X. Returns
    (n,).
    """
    support = torch.nonzero(w).squeeze(1)
    if design.X.dtype == torch.float32 or len(support) <= max(16, design.shape[1] // 20):
        parts = [gather(design, part).T @ w[part] for part in support.split(_BLOCK)]
        return sum(parts, torch.zeros(design.shape[0], dtype=torch.float64, device=design.device))
    if design.is_sparse:
        product = torch.from_numpy(np.asarray(design.X @ w.numpy(), dtype=np.float64))
    else:
        product = design.X @ w
    if design.means is not None:
        product = product - design.means @ w
    return product if design.row_scale is None else product * design.row_scale


def _correlate_raw(design: Design, R: Tensor) -> Tensor:
    if design.is_sparse:
        return torch.from_numpy(np.asarray(design.X.T @ R.numpy(), dtype=np.float64))
    if design.X.dtype == torch.float64:
        return design.X.T @ R
    # sums over rows in float32 would lose the digits of centred columns, and those the certificate looks at
    if design.device.type == "cpu" and R.ndim == 1:
        out = np.zeros(design.shape[1])
        _correlate_wide(design.X.numpy(), R.contiguous().numpy(), design.X.stride(0) <= design.X.stride(1), out)
        return torch.from_numpy(out)
    return torch.cat([columns.to(torch.float64).T @ R for columns in design.X.split(_BLOCK, dim=1)])


@compiled_alone
def _correlate_wide(X, r, by_columns, out):
    n, p = X.shape
    if by_columns:
        for j in range(p):
            total = 0.0
            for i in range(n):
                total += X[i, j] * r[i]
            out[j] = total
    else:
        for i in range(n):
            for j in range(p):
                out[j] += X[i, j] * r[i]
