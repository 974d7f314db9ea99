"""A lasso restricted to a working set of columns: its data, its state, and the formulas every step shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.gram_cache import GramCache, OuterCache


@dataclass
class WorkingSet:
    """Columns (c,) of X, as the rows (c, n) of a matrix, with b = X^T y / n."""

    columns: Tensor
    rows: Tensor
    b: Tensor

    @cached_property
    def curvature(self) -> Tensor:
        """|x_j|^2 / n of each column (c,); 1 for a column of zeros."""
        squares = torch.linalg.vector_norm(self.rows, dim=1) ** 2 / self.rows.shape[1]
        return torch.where(squares > 0, squares, torch.ones_like(squares))


@dataclass
class Iterate:
    """w (c,) on the working set, residual r (n,), correlations q = X^T r / n (c,) and the relative gap
    there.
    """

    w: Tensor
    r: Tensor
    q: Tensor
    gap: float = float("inf")


@dataclass
class Counts:
    """Work done: systems factorised, their size cubed in units of 1000^3, CG steps, line searches, passes
    over X.
    """

    systems: int = 0
    cubes: float = 0.0
    cg_steps: int = 0
    searches: int = 0
    landings: int = 0
    passes: int = 0


def shrink(z: Tensor, threshold: Tensor) -> Tensor:
    """Product u*v at the minimum of a coordinate's block: zero, unless the block at (0, 0) is a saddle (|z|
    > t).
    """
    return z - torch.clamp(z, -threshold, threshold)


def gap_of(r: Tensor, q: Tensor, w: Tensor, y: Tensor, alpha: float, n: int) -> float:
    """Relative duality gap of w (c,) with residual r (n,); q (c,) must hold every |X^T r|/n that matters."""
    penalty, top = alpha * float(w.abs().sum()), float(q.abs().max())
    return relative_gap(float(r @ r) / n, float(w @ q), penalty, top, alpha, float(y @ y) / n)


@dataclass
class Subproblem:
    """One penalty on one working set: what every step below needs, with n = len(y) and s = |y|."""

    ws: WorkingSet
    y: Tensor
    alpha: float
    cache: GramCache
    counts: Counts
    n: int
    size: float

    @cached_property
    def outer(self) -> OuterCache:
        """The n x n form of the systems, scaled by 1 / (n curvature)."""
        return OuterCache(self.ws.rows, 1 / (self.n * self.ws.curvature), self.cache.buffers)


def combine_rows(rows: Tensor, active: Tensor, w: Tensor) -> Tensor:
    """X w (n,) for w (c,) that vanishes outside `active`."""
    if 4 * len(active) <= len(w):
        return rows.index_select(0, active).T @ w[active]
    return rows.T @ w
