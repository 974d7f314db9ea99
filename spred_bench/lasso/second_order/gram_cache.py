"""Matrices of the Newton systems: inner products kept between systems, and buffers reused from one to the
next.

Fresh memory costs as much as the arithmetic at these sizes (a page fault per 4 KB), so large results go
into buffers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spred_bench.system.jit import compiled

_BLOCK = 128  # columns appended at a time: what lies above the diagonal of a block row is not computed


class Buffers:
    """Named float64 scratch matrices that only ever grow; what `take` returned before under the same name is
    lost.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.held: dict[str, Tensor] = {}

    def take(self, name: str, height: int, width: int) -> Tensor:
        """An uninitialised contiguous (height, width) matrix."""
        need = height * width
        if name not in self.held or self.held[name].numel() < need:
            self.held.pop(name, None)
            self.held[name] = torch.empty(need + need // 4, dtype=torch.float64, device=self.device)
        return self.held[name][:need].view(height, width)


class GramCache:
    """X_S^T X_S / n for a growing set S of columns, with the columns themselves (as rows) beside it.

    A new column costs one product with the columns already held; a Newton system then only selects its
    entries. When S outgrows `limit` columns it is started afresh, so memory stays below limit (limit + n)
    float64 numbers.
    """

    def __init__(self, n: int, p: int, limit: int, device: torch.device):
        self.n, self.limit, self.size = n, limit, 0
        self.buffers = Buffers(device)
        self.position = torch.full((p,), -1, dtype=torch.long, device=device)
        self.gram = torch.empty((0, 0), dtype=torch.float64, device=device)
        self.rows = torch.empty((0, n), dtype=torch.float64, device=device)

    def matrix(self, columns: Tensor, rows: Tensor, wanted: Tensor) -> Tensor:
        """Gram matrix (k, k) of `columns[wanted]`, that is of `rows[wanted]` (k, n); valid until the next
        call.
        """
        chosen = columns[wanted]
        new = wanted[self.position[chosen] < 0]
        if len(new):
            # beside columns of no use here, a new one costs more than starting afresh with those wanted
            if self.size + len(new) > self.limit or len(new) * self.size > len(wanted) ** 2:
                self.position.fill_(-1)
                self.size, new = 0, wanted
            for part in new.split(_BLOCK):
                self._append(columns[part], rows, part)
        at = self.position[chosen]
        k = len(at)
        if at.device.type == "cpu":
            system = self.buffers.take("system", k, k)
            _select_symmetric(self.gram.numpy(), at.numpy(), system.numpy())
            return system
        wide = self.buffers.take("wide", k, self.size)
        torch.index_select(self.gram[:, : self.size], 0, at, out=wide)
        return torch.index_select(wide, 1, at, out=self.buffers.take("system", k, k))

    def _append(self, columns: Tensor, rows: Tensor, new: Tensor) -> None:
        held, size = self.size, self.size + len(new)
        if size > len(self.gram):  # room that is never written to costs nothing: to the limit at once, without copies
            capacity = self.limit if size <= self.limit else 2 * size
            grown, kept = self.gram.new_empty((capacity, capacity)), self.rows.new_empty((capacity, self.n))
            grown[:held, :held], kept[:held] = self.gram[:held, :held], self.rows[:held]
            self.gram, self.rows = grown, kept
        torch.index_select(rows, 0, new, out=self.rows[held:size])
        block = self.gram[held:size, :size]
        torch.addmm(block, self.rows[held:size], self.rows[:size].T, beta=0, alpha=1 / self.n, out=block)
        self.gram[:held, held:size] = block[:, :held].T
        self.position[columns] = torch.arange(held, size, device=columns.device)
        self.size = size


def gram_matrix(rows: Tensor) -> Tensor:
    """rows rows' (p, p) for rows (p, n); what lies above the diagonal blocks is copied, not computed."""
    p = len(rows)
    gram = rows.new_empty((p, p))
    for first in range(0, p, _BLOCK):
        block = slice(first, first + _BLOCK)
        torch.mm(rows[block], rows[: first + _BLOCK].T, out=gram[block, : first + _BLOCK])
        gram[:first, block] = gram[block, :first].T
    return gram


@compiled
def _select_symmetric(matrix, at, out):
    """out = matrix[at][:, at] in one pass; two selections by torch take three times as long."""
    for i in range(len(at)):
        row = matrix[at[i]]
        for j in range(len(at)):
            out[i, j] = row[at[j]]


class OuterCache:
    """X_S diag(scale) X_S^T (n, n) for a changing set S: the dual form, for sets near or above n columns.

    Only the columns that enter or leave are touched, so a change of m columns costs 2 m n^2 operations.
    """

    def __init__(self, rows: Tensor, scale: Tensor, buffers: Buffers):
        self.rows, self.scale, self.buffers = rows, scale, buffers
        self.inside = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        self.total: Tensor | None = None

    def matrix(self, wanted: Tensor) -> Tensor:
        """The (n, n) sum over the rows `wanted` (k,); valid until the next call."""
        n = self.rows.shape[1]
        inside = torch.zeros_like(self.inside)
        inside[wanted] = True
        changed = torch.nonzero(inside != self.inside).squeeze(1)
        if self.total is None or len(changed) > len(wanted) // 2:
            rows, scale = self._select(wanted), self.scale[wanted]
            self.total = self.buffers.take("outer", n, n)
            torch.mm(rows.T, rows * scale[:, None], out=self.total)
        elif len(changed):
            rows = self._select(changed)
            scale = torch.where(inside[changed], self.scale[changed], -self.scale[changed])
            self.total.addmm_(rows.T, rows * scale[:, None])
        self.inside = inside
        return self.buffers.take("system", n, n).copy_(self.total)

    def _select(self, wanted: Tensor) -> Tensor:
        out = self.buffers.take("wide", len(wanted), self.rows.shape[1])
        return torch.index_select(self.rows, 0, wanted, out=out)


def solve_positive(system: Tensor, right: Tensor, buffers: Buffers) -> Tensor | None:
    """Solve system x = right (k,) for a positive definite system (k, k); None if it proves not to be one."""
    k = len(right)
    factor = buffers.take("factor", k, k).mT
    info = torch.empty((), dtype=torch.int32, device=system.device)
    torch.linalg.cholesky_ex(system, out=(factor, info))
    if int(info) > 0:
        return None
    half = torch.linalg.solve_triangular(factor, right[:, None], upper=False)
    return torch.linalg.solve_triangular(factor.mT, half, upper=True)[:, 0]
