"""A lasso restricted to a working set of columns: its data, its state, and the formulas every step shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from spred_bench.lasso.second_order.gram_cache import GramCache, OuterCache
from spred_bench.lasso.second_order.path_following import compiled


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


@compiled
def gap_from(rr, ry, yy, top, alpha, penalty):
    """`relative_gap` from |r|^2, r'y, |y|^2, the largest |q| and n alpha |w|_1; the first three and the last may all be
    divided by n."""
    scale = min(1.0, alpha / top) if top > 0 else 1.0
    # |y|^2 - |y - s r|^2 = 2 s r.y - s^2 |r|^2, without the cancellation of the two squares
    return (rr - 2 * scale * ry + scale * scale * rr + 2 * penalty) / yy


def relative_gap(r: Tensor, q: Tensor, w: Tensor, y: Tensor, alpha: float, n: int) -> float:
    """Duality gap of w, over |y|^2/(2n), with the scaled residual as dual point; q must hold every |X^T r|/n
    that matters.
    """
    penalty = n * alpha * float(w.abs().sum())
    return gap_from(float(r @ r), float(r @ y), float(y @ y), float(q.abs().max()), alpha, penalty)


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
