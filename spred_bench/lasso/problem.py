"""The lasso: one problem, one scaling and one certificate for every solver.

    min_w  1/(2n) |y - X w|^2 + alpha |w|_1                                   (1)

is scikit-learn's scaling; in the paper's terms (Eq. (1)) `alpha = 2 kappa`. With several targets, `Y` of shape
(n, m), the objective is the sum over the m independent problems, all with the same alpha. Nothing is centred here.
All figures are computed in float64, whatever precision a solver worked in.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# How many entries of X may be widened to float64 at a time: 64 MiB.
_BLOCK_ENTRIES = 8 * 2**20


def as_columns(A: np.ndarray) -> np.ndarray:
    """(n,) -> (n, 1); (n, m) stays."""
    return A[:, None] if A.ndim == 1 else A


def soft_threshold(x: np.ndarray, level: float | np.ndarray) -> np.ndarray:
    """sign(x) max(|x| - level, 0), the proximal operator of `level |.|_1`."""
    return np.sign(x) * np.maximum(np.abs(x) - level, 0.0)


def orthogonal_solution(X: np.ndarray, y: np.ndarray, alpha: float | np.ndarray) -> np.ndarray:
    """Closed form of (1) when X'X / n is the identity: soft-thresholded least squares, shape (p,) or (p, m)."""
    return soft_threshold(X.T @ y / len(y), alpha)


def _column_blocks(X, dtype=np.float64):
    """Slices of columns small enough to be widened to float64 without a copy of X; one slice if already wide."""
    n, p = X.shape
    width = p if X.dtype == dtype else max(1, _BLOCK_ENTRIES // max(n, 1))
    return [slice(start, min(start + width, p)) for start in range(0, p, width)]


@dataclass(frozen=True)
class LassoProblem:
    """Problem (1).

    X: (n, p) array or scipy CSR/CSC matrix, float32 or float64.  Y: (n,) or (n, m).  alpha: L1 strength, >= 0.
    Coefficients go in and out as (p,) where Y is (n,), as (p, m) where it is (n, m).
    """

    X: np.ndarray
    Y: np.ndarray
    alpha: float

    @property
    def n_targets(self) -> int:
        """m, the number of columns of Y."""
        return 1 if self.Y.ndim == 1 else self.Y.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the coefficients: (p,) or (p, m)."""
        return (self.X.shape[1], *self.Y.shape[1:])

    @property
    def kappa(self) -> float:
        """The paper's strength: alpha = 2 kappa (Eq. (1) and (3))."""
        return self.alpha / 2

    @cached_property
    def null_objective(self) -> float:
        """Objective at w = 0, |Y|^2 / (2n): the unit in which the relative gap is measured."""
        Y = np.asarray(self.Y, dtype=np.float64)
        return float(np.sum(Y * Y)) / (2 * len(Y))

    def residual(self, w: np.ndarray) -> np.ndarray:
        """Y - X w in float64, shape of Y."""
        w = np.asarray(w, dtype=np.float64)
        residual = np.array(self.Y, dtype=np.float64)
        rows = np.flatnonzero(as_columns(w).any(axis=1))
        if 4 * len(rows) > self.X.shape[1]:
            for block in _column_blocks(self.X):
                residual -= _wide(self.X[:, block]) @ w[block]
        elif len(rows):
            residual -= _wide(self.X[:, rows]) @ w[rows]
        return residual

    def correlation(self, residual: np.ndarray) -> np.ndarray:
        """X' r / n in float64, shape of the coefficients."""
        parts = [_wide(self.X[:, block]).T @ residual for block in _column_blocks(self.X)]
        return np.concatenate(parts) / self.X.shape[0]

    def objective(self, w: np.ndarray) -> float:
        """Value of (1), summed over targets."""
        return self._primal(self.residual(w), w)

    def _primal(self, residual, w) -> float:
        penalty = self.alpha * float(np.sum(np.abs(np.asarray(w, dtype=np.float64))))
        return float(np.sum(residual * residual)) / (2 * len(residual)) + penalty

    def certificate(self, w: np.ndarray) -> tuple[float, float]:
        """(objective, relative duality gap) at w.

        The dual point of each target is its residual, scaled to be feasible and, within that, to maximise the dual
        (Massias et al. 2018, Eq. (9)); the gap, summed over targets, is divided by the objective at w = 0. A
        relative gap of g proves that w is within g |Y|^2/(2n) of the optimum. At alpha = 0 only X'r = 0 is feasible,
        so the gap proves no more than that the objective is at least zero.

        This is the judge: it shares no code with the solvers, whose own gap (`duality`) has a simpler dual point.
        A gap that is not a number is infinite.
        """
        residual = self.residual(w)
        primal = self._primal(residual, w)
        if not np.isfinite(primal):
            return primal, float("inf")
        n = len(residual)
        R, Y = as_columns(residual), as_columns(np.asarray(self.Y, dtype=np.float64))
        largest = np.abs(as_columns(self.correlation(residual))).max(axis=0)
        norms = np.sum(R * R, axis=0)
        best = np.divide(np.sum(R * Y, axis=0), norms, out=np.ones_like(norms), where=norms > 0)
        bound = np.divide(self.alpha, largest, out=np.full_like(largest, np.inf), where=largest > 0)
        scale = np.clip(best, -bound, bound)
        dual = (np.sum(Y * Y) - np.sum((Y - R * scale) ** 2)) / (2 * n)
        gap = primal - float(dual)
        if not np.isfinite(gap):
            return primal, float("inf")
        return primal, max(gap, 0.0) / (self.null_objective or 1.0)


def _wide(X):
    return X.astype(np.float64, copy=False)


def lambda_max(X: Any, Y: np.ndarray) -> float:
    """Smallest alpha at which w = 0 solves (1): the largest |x_j' y_t| / n over features j and targets t."""
    Y = np.asarray(Y, dtype=np.float64)
    return float(np.abs(LassoProblem(X, Y, 0.0).correlation(Y)).max())
