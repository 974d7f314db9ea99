"""The sums over codes that a dictionary is fitted to, S'S and S'X, with forgetting, and the sweep that fits it.

Codes are kept packed, 8 bytes for each that is not zero: sums over the active codes of a patch cost some thousand
products, a dense S'S of a batch a hundred times as many.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spred_bench.sparse_coding.encoder import run_blocks
from spred_bench.system.jit import compiled

_BLOCK = 64  # atoms of a sweep whose gradients come from one product
_FLOOR = 1e-4  # of the mean square of a code: atoms below it have too few codes to be fitted


class Packed(NamedTuple):
    """Codes of b patches, zeros left out: starts (b + 1,) int32, index (c,) int32 and values (c,) float32."""

    starts: np.ndarray
    index: np.ndarray
    values: np.ndarray


class Statistics:
    """gram (k, k) = S'S and cross (k, m) = S'X of the codes added, older ones at a smaller weight."""

    def __init__(self, k: int, m: int):
        self.gram, self.cross = torch.zeros(k, k), torch.zeros(k, m)
        # Compiled here, before anybody's clock runs.
        self.add([(torch.zeros(1, m), pack(np.zeros((1, k), np.float32)))], weight=1.0)
        self.sweep(torch.zeros(k, m))
        unpack(pack(np.zeros((1, k), np.float32)), k)

    def add(self, units: list[tuple[Tensor, Packed]], weight: float) -> None:
        """Multiply the sums by `weight` and add those of each (X (b, m), codes); the same for any number of threads."""
        threads = torch.get_num_threads()

        def work(part: int) -> None:
            self.gram[part::threads] *= weight
            self.cross[part::threads] *= weight
            for X, codes in units:
                _accumulate(*codes, X.numpy(), self.gram.numpy(), self.cross.numpy(), part, threads)

        run_blocks(work, range(threads))

    def sweep(self, atoms: Tensor) -> None:
        """Minimise |X - S B'|^2 over one row of atoms (k, m) after the other, each of norm one; in place.

        Mairal et al. (2009), Algorithm 2, with the products of a block of atoms done at once.
        """
        floor = _FLOOR * float(self.gram.diagonal().mean())
        for at in range(0, len(atoms), _BLOCK):
            rows = slice(at, at + _BLOCK)
            residual = torch.addmm(self.cross[rows], self.gram[rows], atoms, alpha=-1)
            _fit_block(residual.numpy(), self.gram[rows, rows].numpy(), atoms[rows].numpy(), floor)

    def drop(self, atoms: Tensor) -> None:
        """Forget the codes of the atoms with these numbers."""
        self.gram[atoms], self.gram[:, atoms], self.cross[atoms] = 0.0, 0.0, 0.0


@compiled
def _accumulate(starts, index, values, X, gram, cross, part, parts):
    """Rows part, part + parts, ... of gram += S'S and cross += S'X, for codes S (b, k) packed and X (b, m)."""
    m = X.shape[1]
    for i in range(len(X)):
        for p in range(starts[i], starts[i + 1]):
            j, value = index[p], values[p]
            if j % parts == part:
                for t in range(m):
                    cross[j, t] += value * X[i, t]
                for q in range(starts[i], starts[i + 1]):
                    gram[j, index[q]] += value * values[q]


@compiled
def _fit_block(residual, gram, atoms, floor):
    """One sweep over some atoms (c, m) with their gram (c, c); residual (c, m) = cross - gram of all @ all atoms."""
    m = atoms.shape[1]
    for j in range(len(atoms)):
        curvature, square = gram[j, j], 0.0
        if curvature <= floor:
            continue
        for t in range(m):
            residual[j, t] = atoms[j, t] + residual[j, t] / curvature
            square += residual[j, t] * residual[j, t]
        scale = atoms.dtype.type(1 / np.sqrt(square)) if square > 0 else residual[j, 0]
        for t in range(m):
            residual[j, t] = residual[j, t] * scale - atoms[j, t]  # by how much the atom moves
            atoms[j, t] += residual[j, t]
        for i in range(j + 1, len(atoms)):
            if gram[i, j] != 0:
                for t in range(m):
                    residual[i, t] -= gram[i, j] * residual[j, t]


@compiled
def _count(S, starts):
    for i in range(len(S)):
        active = 0
        for j in range(S.shape[1]):
            active += S[i, j] != 0
        starts[i + 1] = starts[i] + active


@compiled
def _fill(S, starts, index, values):
    for i in range(len(S)):
        at = starts[i]
        for j in range(S.shape[1]):
            if S[i, j] != 0:
                index[at], values[at] = j, S[i, j]
                at += 1


def pack(S: np.ndarray) -> Packed:
    """The codes S (b, k) without their zeros."""
    starts = np.zeros(len(S) + 1, np.int32)
    _count(S, starts)
    codes = Packed(starts, np.empty(starts[-1], np.int32), np.empty(starts[-1], S.dtype))
    _fill(S, *codes)
    return codes


def unpack(codes: Packed, k: int) -> np.ndarray:
    """The codes (b, k) with their zeros."""
    S = np.zeros((len(codes.starts) - 1, k), codes.values.dtype)
    S[np.repeat(np.arange(len(S)), np.diff(codes.starts)), codes.index] = codes.values
    return S
