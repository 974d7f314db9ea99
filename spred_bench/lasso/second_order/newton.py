"""Second-order spred: the lasso through Newton's method on the factors of w = u*v (paper, Eq. (3) and Theorem
1).

minimise 1/(2n) |y - X (u*v)|^2 + alpha/2 (|u|^2 + |v|^2), whose minima are those of 1/(2n) |y - Xw|^2 +
alpha |w|_1. One round = choose the columns with the largest correlations, minimise over their factors
(`product_newton`), then one pass over X to certify the answer. The penalty is lowered to its final value
in a few steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from spred_bench.lasso.second_order.compact import is_small, solve_compact
from spred_bench.lasso.second_order.design_matrix import Design, all_rows, as_tensor, correlate, with_rows, wrap_design
from spred_bench.lasso.second_order.lasso_rounds import (
    Workspace,
    advance,
    new_workspace,
    refuse_non_finite,
    start_targets,
)
from spred_bench.lasso.second_order.least_squares import minimum_norm
from spred_bench.lasso.second_order.many_targets import gram_pays, has_columns, solve_by_gram, solve_in_rounds
from spred_bench.lasso.second_order.subproblem import Counts
from spred_bench.system.threads import one_thread_for_numpy

_ORDINARY = 200  # targets within 2^-200 and 2^200 are solved as they are


@dataclass
class LassoResult:
    """coef (p,) or (m, p) float64; intercept and relative dual_gap: floats or (m,); rounds; "converged" or
    "max_iter".
    """

    coef: np.ndarray | Tensor
    intercept: float | np.ndarray
    dual_gap: float | np.ndarray
    n_iter: int
    status: str
    counts: Counts


def solve_lasso(
    X,
    y,
    alpha: float,
    *,
    tol: float = 1e-6,
    max_iter: int = 100,
    warm_start=None,
    fit_intercept: bool = False,
    sample_weight=None,
    callback: Callable | None = None,
) -> LassoResult:
    """Minimise 1/(2n) |y - Xw|^2 + alpha |w|_1, for each column of y separately.

    X (n, p): NumPy array or torch tensor (float32, float64, either order), or SciPy sparse matrix; never
    copied. y (n,) or (n, m). alpha >= 0; 0 gives the least-squares solution of minimum norm. The answer's
    duality gap, in float64 and divided by |y|^2/(2n), is at most tol, else a ConvergenceWarning says what
    was reached. warm_start (p,) or (m, p) starts from given coefficients. sample_weight (n,) weighs rows
    as in scikit-learn (scaled to sum to n). callback(w) receives the coefficients (p,) of the target at
    hand at each iterate. ValueError on bad input.
    """
    alpha, tol = float(alpha), float(tol)
    if not (np.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must be finite and not negative, got {alpha}")
    if not tol > 0 or max_iter < 1:
        raise ValueError(f"tol must be positive and max_iter at least 1, got tol={tol}, max_iter={max_iter}")
    with one_thread_for_numpy():
        return _solve(X, y, alpha, tol, max_iter, warm_start, fit_intercept, sample_weight, callback)


@cache
def compile_ahead() -> None:
    """Compile what the solver may call, or load it from the cache, so that its first answer comes as fast as the next.

    Takes a few seconds once per installation, then a tenth of one per process.
    """
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((30, 40)), rng.standard_normal((30, 3))
    for design, target in ((X, Y[:, 0]), (X, Y), (X.astype(np.float32), Y[:, 0])):
        solve_lasso(np.asfortranarray(design), target, 0.05)


def _solve(X, y, alpha, tol, max_iter, warm_start, fit_intercept, sample_weight, callback) -> LassoResult:
    design, Y, centre = prepare(X, y, fit_intercept, sample_weight)
    space = new_workspace(design)
    m, p = Y.shape[1], design.shape[1]
    starts = None if warm_start is None else _as_matrix(warm_start, m, p, design.device)
    coef, gaps, rounds = torch.zeros((m, p), dtype=torch.float64, device=design.device), np.zeros(m), 0
    powers = size_of_targets(Y)
    for power in np.unique(powers):
        chosen = torch.from_numpy(np.flatnonzero(powers == power)).to(design.device)
        report = callback if callback is None or power == 0 else partial(_scaled_report, callback, power)
        coef_there, gaps[powers == power], needed = _solve_targets(
            space,
            rescale(Y[:, chosen], -power),
            None if starts is None else rescale(starts[chosen], -power),
            float(rescale(torch.tensor(alpha, dtype=torch.float64), -power).clamp(max=1e300)),
            tol,
            max_iter,
            report,
        )
        coef[chosen], rounds = rescale(coef_there, power), max(rounds, needed)
    return package(X, y, coef, centre, gaps, rounds, tol, space)


def size_of_targets(Y: Tensor) -> np.ndarray:
    """Powers of two (m,) that bring targets of extreme size near one; 0 for ordinary ones, which are left as they are.

    The squares of numbers beyond 1e155, or below 1e-155, are no longer numbers.
    """
    powers = np.frexp(Y.abs().amax(0).cpu().numpy())[1]
    return np.where(np.abs(powers) > _ORDINARY, powers, 0)


def rescale(values: Tensor, power: int) -> Tensor:
    """values * 2^power, in two steps, since 2^power itself may be out of range."""
    half = int(power) // 2
    return values if power == 0 else values * 2.0**half * 2.0 ** (int(power) - half)


def _scaled_report(callback: Callable, power: int, w: np.ndarray) -> None:
    callback(np.ldexp(w, power))


def _solve_targets(space, Y, starts, alpha, tol, max_iter, callback) -> tuple[Tensor, np.ndarray, int]:
    """Coefficients (m, p), relative gaps (m,) and rounds for targets Y (n, m) of ordinary size."""
    design = space.design
    n, p = design.shape
    m = Y.shape[1]
    coef = torch.zeros((m, p), dtype=torch.float64, device=design.device)
    gaps = np.zeros(m)
    rounds, left = 0, torch.arange(m)
    if alpha == 0:
        return *minimum_norm(design, Y), 0
    if callback is None:
        rounds, solved = _solve_compiled(space, Y, starts, alpha, tol, max_iter, coef, gaps)
        left = torch.nonzero(~solved).squeeze(1)
    # a block's correlations take a few hundredths of the memory of X
    for chosen in left.split(max(8, n // 40)) if len(left) else ():
        targets = start_targets(space, Y[:, chosen], None if starts is None else starts[chosen], alpha)
        rounds = max(rounds, advance(space, targets, alpha, tol, max_iter, callback))
        gaps[chosen.numpy()] = [target.gap for target in targets]
        coef[chosen] = torch.stack([target.w for target in targets])
    return coef, gaps, rounds


def _solve_compiled(space, Y, starts, alpha, tol, max_iter, coef, gaps) -> tuple[int, Tensor]:
    """Fill coef (m, p) and gaps (m,) where a compiled solver does; returns its rounds and which those are (m,)."""
    design, m, rounds = space.design, len(gaps), 0
    gaps.fill(np.inf)
    together = m > 1 and starts is None
    if together and is_small(design) and gram_pays(design, m):
        space.counts.passes += 1
        solve_by_gram(all_rows(design).contiguous(), Y, alpha, tol, coef, gaps)
        rounds = 1
    elif together and has_columns(design):
        for chosen in torch.arange(m).split(max(8, design.shape[0] // 20)):
            block = slice(int(chosen[0]), int(chosen[-1]) + 1)
            needed = solve_in_rounds(design, Y[:, block], alpha, tol, coef[block], gaps[block])
            space.counts.passes += needed + 1
            rounds = max(rounds, needed)
    elif is_small(design):
        rows = np.ascontiguousarray(all_rows(design).numpy())
        for j in range(m):
            start = np.zeros(len(rows)) if starts is None else starts[j].numpy()
            w, gap, needed, reached = solve_compact(rows, np.ascontiguousarray(Y[:, j].numpy()), alpha, tol, start)
            space.counts.passes += needed + 1
            if reached and needed <= max_iter:
                coef[j], gaps[j], rounds = torch.from_numpy(w), gap, max(rounds, needed)
    return rounds, torch.from_numpy(gaps <= tol)


def prepare(X, y, fit_intercept: bool, sample_weight) -> tuple[Design, Tensor, tuple[Tensor, Tensor] | None]:
    """Check the input; return the (centred, weighted) design, Y (n, m) likewise, and (column means, target
    means).
    """
    design = wrap_design(X)
    n = design.shape[0]
    Y = y if isinstance(y, Tensor) else as_tensor(np.ascontiguousarray(y, dtype=np.float64))
    Y = Y.detach().to(device=design.device, dtype=torch.float64)
    if Y.ndim not in (1, 2) or Y.shape[0] != n or 0 in Y.shape:
        raise ValueError(f"y must have {n} rows like X, got shape {tuple(Y.shape)}")
    if not bool(torch.isfinite(Y).all()):
        raise ValueError("y contains NaN or infinity")
    Y = Y[:, None] if Y.ndim == 1 else Y
    scale = None
    if sample_weight is not None:
        weight = np.broadcast_to(np.asarray(sample_weight, dtype=np.float64), (n,))
        if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
            raise ValueError("sample_weight must be finite, not negative, and not all zero")
        scale = torch.sqrt(as_tensor(weight * (n / weight.sum()))).to(design.device)
    # a row whose target is zero would hide its NaN from X^T y only where BLAS skips zeros: look at X^T 1
    if not design.is_sparse and not (fit_intercept and scale is None) and bool((Y == 0).any()):
        refuse_non_finite(correlate(design, torch.ones(n, dtype=torch.float64, device=design.device)))
    design = with_rows(design, scale, fit_intercept)
    centre = None
    if fit_intercept:
        refuse_non_finite(design.means)
        means = Y.mean(0) if scale is None else (scale**2) @ Y / n
        centre, Y = (design.means, means), Y - means
    return design, (Y if scale is None else Y * scale[:, None]), centre


def _as_matrix(w, m: int, p: int, device: torch.device) -> Tensor:
    w = w.detach() if isinstance(w, Tensor) else as_tensor(np.array(w, dtype=np.float64))
    w = w.to(device=device, dtype=torch.float64).reshape(-1, p) if w.shape[-1] == p else w
    if tuple(w.shape) != (m, p) or not bool(torch.isfinite(w).all()):
        raise ValueError(f"warm_start must be finite, of shape ({m}, {p}) or ({p},), got {tuple(w.shape)}")
    return w


def package(X, y, coef: Tensor, centre, gaps: np.ndarray, rounds: int, tol: float, space: Workspace) -> LassoResult:
    """Undo the block form: one target gives vectors, NumPy input gives NumPy output; warn if the gap is
    above tol.
    """
    worst = float(gaps.max())
    if not worst <= tol:
        warnings.warn(
            f"spred stopped after {rounds} rounds at a relative duality gap of {worst:.2e}, above {tol:.2e}",
            ConvergenceWarning,
            stacklevel=3,
        )
    intercept = np.zeros(len(gaps)) if centre is None else (centre[1] - coef @ centre[0]).cpu().numpy()
    single = np.ndim(y) == 1
    coef = coef[0] if single else coef
    return LassoResult(
        coef if isinstance(X, Tensor) else coef.numpy(),
        float(intercept[0]) if single else intercept,
        worst if single else gaps,
        rounds,
        "converged" if worst <= tol else "max_iter",
        space.counts,
    )
