"""The limit alpha = 0 of the lasso: the least-squares solution of minimum norm, which weight decay on (U, V)
does not select.
"""

from __future__ import annotations

import numpy as np
import torch

from spred_bench.lasso.second_order.design_matrix import Design, correlate, gather

BLOCK = 1000  # columns of X held at once


def minimum_norm(design: Design, targets: list) -> np.ndarray:
    """Set w (p,) and r (n,) of each target to the minimum-norm solution; returns |w . X^T r| / |y|^2 * 2,
    zero if exact.

    Solved through the smaller of X X^T (n, n) and X^T X (p, p), so directions whose singular value is
    below about 1e-7 of the largest are dropped.
    """
    n, p = design.shape
    columns = torch.arange(p, device=design.device)
    wide = p > n
    gram = torch.zeros((n, n) if wide else (p, p), dtype=torch.float64, device=design.device)
    for block in columns.split(BLOCK):
        rows = gather(design, block)
        if wide:
            gram += rows.T @ rows
        else:
            gram[:, block] = correlate(design, rows.T)
    values, vectors = torch.linalg.eigh((gram + gram.T) / 2)
    kept = values > values[-1].clamp(min=0) * 1e-14
    inverse = torch.where(kept, 1 / torch.where(kept, values, torch.ones_like(values)), torch.zeros_like(values))
    gaps = np.zeros(len(targets))
    for j, target in enumerate(targets):
        right = target.y if wide else target.b * n
        solved = vectors @ (inverse * (vectors.T @ right))
        target.w = correlate(design, solved) if wide else solved
        fitted = torch.zeros_like(target.y)
        for block in columns.split(BLOCK):
            fitted += gather(design, block).T @ target.w[block]
        target.r = target.y - fitted
        yy = float(target.y @ target.y)
        gaps[j] = 2 * abs(float(fitted @ target.r)) / yy if yy > 0 else 0.0
    return gaps
