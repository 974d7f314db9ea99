"""Second-order spred for the lasso."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spred_bench.design_matrix import Design, all_rows, as_tensor, combine, correlate, gather, with_rows, wrap_design
from spred_bench.gram_cache import GramCache
from spred_bench.product_newton import Counts, Iterate, WorkingSet, minimize_on, relative_gap


@dataclass
class Result:
    coef: np.ndarray
    dual_gap: float
    n_iter: int
    status: str
    counts: Counts


def solve_lasso(X, y, alpha, *, tol=1e-6, max_iter=100, warm_start=None, callback=None, path=0.2, start_sigma=3.0, growth=3.0, size=3, early=0.1, back=9.0, floor=.01) -> Result:
    design = wrap_design(X)
    y = as_tensor(np.ascontiguousarray(y, dtype=np.float64))
    n, p = design.shape
    counts = Counts()
    b = correlate(design, y) / n
    counts.passes += 1
    alpha = float(alpha)
    top = float(b.abs().max())
    q, r = b, y.clone()
    w = torch.zeros(p, dtype=torch.float64)
    cache = GramCache(n, p, min(p, 2 * n + 100), design.device)
    limit = min(p, max(size * n, 500))
    level = top
    rows_all = None
    last = None
    for it in range(max_iter):
        gap = relative_gap(r, q, w, y, alpha, n)
        if counts.log is not None:
            counts.log.append(("full", it, gap, int((w != 0).sum()), int((q.abs() > alpha).sum())))
        if gap <= tol:
            return Result(w.numpy(), gap, it, "converged", counts)
        sigma = start_sigma if level > alpha or last is None else max(start_sigma, last / back)
        level = max(alpha, level * path)
        support = torch.nonzero(w).squeeze(1)
        if p <= limit * 1.3:
            columns = torch.arange(p)
            if rows_all is None:
                rows_all = all_rows(design)
                curv_all = (torch.linalg.vector_norm(rows_all, dim=1) ** 2) / n
                curv_all[curv_all == 0] = 1
            rows, curv = rows_all, curv_all
        else:
            score = q.abs()
            score[support] = float("inf")
            columns = torch.topk(score, limit, sorted=False).indices.sort().values
            rows = gather(design, columns)
            curv = (torch.linalg.vector_norm(rows, dim=1) ** 2) / n
            curv[curv == 0] = 1
        ws = WorkingSet(columns, rows, b[columns], curv)
        start = Iterate(w[columns], r, q[columns])
        inner_tol = early if level > alpha else tol if len(columns) == p else max(0.3 * tol, early * min(gap, 1))
        here, last = minimize_on(ws, start, y, level, cache, counts, sigma=sigma, tol=inner_tol, growth=growth, floor=floor)
        w = torch.zeros(p, dtype=torch.float64)
        w[columns] = here.w
        r = here.r
        if len(columns) == p:
            q = here.q
        else:
            q = correlate(design, r) / n
            counts.passes += 1
    return Result(w.numpy(), gap, it, "max_iter", counts)
