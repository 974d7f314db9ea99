"""The regularisation path of the lasso: each strength from the one before, inner products shared."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spred_bench.lasso.second_order.compact import is_small, path_compact
from spred_bench.lasso.second_order.design_matrix import all_rows
from spred_bench.lasso.second_order.lasso_rounds import Workspace, advance, new_workspace, start_targets
from spred_bench.lasso.second_order.newton import LassoResult, package, prepare, rescale, size_of_targets


def lasso_path(
    X,
    y,
    alphas=None,
    *,
    n_alphas: int = 100,
    eps: float = 1e-3,
    tol: float = 1e-6,
    max_iter: int = 100,
    fit_intercept: bool = False,
    sample_weight=None,
) -> tuple[np.ndarray, list[LassoResult]]:
    """Solutions for decreasing penalties, each started from the one before; Gram entries are shared.

    alphas: any positive values, sorted here in decreasing order; by default n_alphas values from the
    smallest penalty with w = 0 for every target down to eps times it. Returns (alphas, one LassoResult
    each); see `solve_lasso`.
    """
    design, Y, centre = prepare(X, y, fit_intercept, sample_weight)
    power = int(size_of_targets(Y.abs().amax(1, keepdim=True))[0])
    Y, space = rescale(Y, -power), new_workspace(design)
    m, p = Y.shape[1], design.shape[1]
    targets = start_targets(space, Y, None, 0.0)
    if alphas is None:
        top = max(max(target.level for target in targets), np.finfo(float).tiny)
        alphas = np.ldexp(np.geomspace(top, top * eps, n_alphas), power)
    alphas = np.sort(np.asarray(alphas, dtype=np.float64).ravel())[::-1]
    if not (len(alphas) and np.isfinite(alphas).all() and alphas[-1] > 0):
        raise ValueError("alphas must be positive and finite; alpha = 0 is solve_lasso(X, y, 0)")
    results, done, scaled = [], 0, np.minimum(np.ldexp(alphas, -power), 1e300)
    if m == 1 and is_small(design):
        coefs, gaps, done = _path_compactly(space, Y, scaled, tol)
        results = [package(X, y, rescale(coefs[[i]], power), centre, gaps[[i]], 1, tol, space) for i in range(done)]
        if 0 < done < len(alphas):
            targets = start_targets(space, Y, coefs[[done - 1]], float(scaled[done - 1]))
    for alpha in scaled[done:].tolist():
        rounds = advance(space, targets, alpha, tol, max_iter)
        coef = torch.stack([target.w for target in targets]).reshape(m, p)
        gaps = np.array([target.gap for target in targets])
        results.append(package(X, y, rescale(coef, power), centre, gaps, rounds, tol, space))
    return alphas, results


def _path_compactly(space: Workspace, Y: Tensor, alphas: np.ndarray, tol: float) -> tuple[Tensor, np.ndarray, int]:
    """Coefficients (a, p) and gaps (a,) of one target as far as the compiled solver does, and how far that is."""
    rows = np.ascontiguousarray(all_rows(space.design).numpy())
    coefs, gaps = np.zeros((len(alphas), len(rows))), np.zeros(len(alphas))
    done = path_compact(rows, np.ascontiguousarray(Y[:, 0].numpy()), alphas, tol, coefs, gaps)
    return torch.from_numpy(coefs), gaps, done
