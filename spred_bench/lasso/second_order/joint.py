"""Many targets with many columns in play each: all of them together, in matrix products with one common system.

Split the product from the prediction, w = u*v against X z, by an augmented Lagrangian (the family of Li, Sun & Toh
2018). For given z every block of (u, v) is minimised in closed form (`shrink`); for given w all targets share the
system X'X/n + rho I, inverted once. A turn is then one product (m, p) (p, p), where the landings of `product_newton`
would factorise a system of its own for each target. Alternating with over-relaxation: Boyd et al. (2011), section 3.4.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.subproblem import shrink

_RELAXED = 1.6  # over-relaxation; 1.5 to 1.8 is usual
_TURNS = 10  # between certificates
_MOST_TURNS = 400
_BALANCE = 3.0  # rho is changed where the two residuals differ by more than this factor


def solve_jointly(gram: Tensor, B: Tensor, squares: Tensor, alpha: float, tol: float) -> tuple[Tensor, Tensor]:
    """Lasso of many targets from X'X/n (p, p), X'Y/n as rows (m, p) and |y|^2/n (m,).

    Returns coefficients (m, p) and relative duality gaps (m,); gaps above tol where that many turns were not enough.
    """
    coef, gaps = torch.zeros_like(B), torch.full_like(squares, np.inf)
    # Balanced for the strengths tried, 0.1 and 0.01 of the largest; what follows corrects it.
    rho = 2.5 * (alpha / float(B.abs().max())) ** 0.7 * float(gram.diagonal().mean())
    inverse, left = _inverse(gram, rho), torch.arange(len(B))
    if inverse is None:
        return coef, gaps
    Z, U = torch.zeros_like(B), torch.zeros_like(B)
    for turn in range(1, _MOST_TURNS + 1):
        before = Z
        W = (B + rho * (Z - U)) @ inverse
        relaxed = _RELAXED * W + (1 - _RELAXED) * Z + U
        Z = shrink(relaxed, torch.tensor(alpha / rho, dtype=B.dtype))
        U = relaxed - Z
        if turn % _TURNS:
            continue
        found = relative_gaps(Z, gram, B, squares[left], alpha)
        coef[left], gaps[left] = Z, found
        pending = found > tol
        if not bool(pending.any()):
            break
        apart, moved = float((W - Z).norm()), float((Z - before).norm())
        left, B, Z, U = left[pending], B[pending], Z[pending], U[pending]
        if max(apart, moved) > _BALANCE * min(apart, moved):
            factor = (apart / max(moved, 1e-300)) ** 0.5
            U, rho = U / factor, rho * factor  # the multiplier rho U stays what it is
            inverse = _inverse(gram, rho)
            if inverse is None:
                break
    return coef, gaps


def _inverse(gram: Tensor, rho: float) -> Tensor | None:
    shifted = gram.clone()
    shifted.diagonal().add_(rho)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    return None if int(failed) else torch.cholesky_inverse(factor)


def relative_gaps(W: Tensor, gram: Tensor, B: Tensor, squares: Tensor, alpha: float) -> Tensor:
    """Relative duality gaps (m,) of the rows of W (m, p), from inner products; shapes as in `solve_jointly`."""
    Q = torch.addmm(B, W, gram, alpha=-1)
    wq = (W * Q).sum(1)
    rr = squares - (W * B).sum(1) - wq
    return relative_gap(rr, wq, alpha * W.abs().sum(1), Q.abs().amax(1), alpha, squares)
