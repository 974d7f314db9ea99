"""Inner products of the columns a working set has ever held, computed once and kept between Newton systems."""

from __future__ import annotations

import torch
from torch import Tensor


class GramCache:
    """X_S^T X_S / n for a growing set S of columns, with the columns themselves (as rows) beside it.

    A new column costs one product with the columns already held; a Newton system then only selects its entries. When S
    outgrows `limit` columns it is started afresh, so memory stays below limit (limit + n) float64 numbers.
    """

    def __init__(self, n: int, p: int, limit: int, device: torch.device):
        self.n, self.limit, self.size = n, limit, 0
        self.position = torch.full((p,), -1, dtype=torch.long, device=device)
        self.gram = torch.empty((0, 0), dtype=torch.float64, device=device)
        self.rows = torch.empty((0, n), dtype=torch.float64, device=device)

    def matrix(self, columns: Tensor, rows: Tensor, wanted: Tensor) -> Tensor:
        """Gram matrix (k, k) of `columns[wanted]`, whose entries are the rows `rows[wanted]` (k, n); a fresh copy."""
        chosen = columns[wanted]
        new = wanted[self.position[chosen] < 0]
        if len(new):
            if self.size + len(new) > self.limit:
                self.position.fill_(-1)
                self.size, new = 0, wanted
            self._append(columns[new], rows[new])
        at = self.position[chosen]
        return self.gram.index_select(0, at).index_select(1, at)

    def _append(self, columns: Tensor, rows: Tensor) -> None:
        held, size = self.size, self.size + len(columns)
        if size > len(self.gram):
            capacity = size if held == 0 and len(self.gram) == 0 else min(2 * size, max(size, self.limit))
            grown = self.gram.new_empty((capacity, capacity))
            grown[:held, :held] = self.gram[:held, :held]
            kept = self.rows.new_empty((capacity, self.n))
            kept[:held] = self.rows[:held]
            self.gram, self.rows = grown, kept
        self.rows[held:size] = rows
        block = (self.rows[:size] @ rows.T) / self.n
        self.gram[:size, held:size] = block
        self.gram[held:size, :held] = block[:held].T
        self.position[columns] = torch.arange(held, size, device=columns.device)
        self.size = size


class OuterCache:
    """X_S diag(scale) X_S^T (n, n) for a changing set S: the dual form of a system, for sets near or above n columns.

    Only the columns that enter or leave are touched, so a change of m columns costs 2 m n^2 operations.
    """

    def __init__(self, rows: Tensor, scale: Tensor):
        self.rows, self.scale = rows, scale
        self.inside = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        self.total: Tensor | None = None

    def matrix(self, wanted: Tensor) -> Tensor:
        """The (n, n) sum over the rows `wanted` (k,); a fresh copy."""
        inside = torch.zeros_like(self.inside)
        inside[wanted] = True
        changed = torch.nonzero(inside != self.inside).squeeze(1)
        if self.total is None or len(changed) > len(wanted) // 2:
            rows = self.rows[wanted]
            self.total = rows.T @ (rows * self.scale[wanted, None])
        elif len(changed):
            rows = self.rows[changed]
            sign = torch.where(inside[changed], self.scale[changed], -self.scale[changed])
            self.total = torch.addmm(self.total, rows.T, rows * sign[:, None])
        self.inside = inside
        return self.total.clone()
