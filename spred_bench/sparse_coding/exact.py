"""Codes of single patches by the lasso engine, for the few that the blocks' rounds do not bring to the gap asked for.

Between coherent atoms the rounds of `compiled.improve` can stall, and in float32 the gap can fall below what that type
resolves. The engine works in float64, on one patch at a time, and copes with atoms that are equal or dependent.
"""

from __future__ import annotations

import warnings

import numpy as np

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.newton import solve_lasso


def certified_gaps(X: np.ndarray, B: np.ndarray, S: np.ndarray, kappa: float) -> np.ndarray:
    """Relative duality gaps (n,) of the codes S (n, k) of X (n, m) in B (m, k), computed in float64."""
    X, B, S = (np.asarray(A, dtype=np.float64) for A in (X, B, S))
    R = X - S @ B.T
    Q = R @ B
    squares = [(A * A).sum(axis=1) for A in (R, X)]
    penalty, top = kappa * np.abs(S).sum(axis=1), np.abs(Q).max(axis=1)
    return relative_gap(squares[0], (S * Q).sum(axis=1), penalty, top, kappa, squares[1])


def solve_exactly(
    X: np.ndarray, B: np.ndarray, S: np.ndarray, kappa: float, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n, k) of X (n, m) in B (m, k), where the codes S do not have the gap asked for, and their gaps (n,).

    A patch keeps its codes of S where the engine's are no better. The result has the type of S if codes rounded to it
    keep the gap, else float64: between coherent atoms at a small kappa, float32 does not hold the digits that matter.
    """
    codes, gaps, B = S.astype(np.float64), certified_gaps(X, B, S, kappa), np.asfortranarray(B, dtype=np.float64)
    for i in np.flatnonzero(~(gaps <= gap)):
        x = np.asarray(X[i], dtype=np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `encode` warns once, of all patches
            found = solve_lasso(B, x, kappa / len(x), tol=0.5 * gap).coef
        reached = certified_gaps(X[i : i + 1], B, found[None], kappa)[0]
        if reached < gaps[i]:
            codes[i], gaps[i] = found, reached
    rounded = codes.astype(S.dtype)
    gaps_rounded = certified_gaps(X, B, rounded, kappa)
    return (rounded, gaps_rounded) if (gaps_rounded <= np.maximum(gaps, gap)).all() else (codes, gaps)
