"""Many targets on one X at once: passes over X are matrix products, and what a target has for itself is compiled.

Where all inner products of X are worth forming they serve every target (`solve_in_gram`, `solve_jointly`); else each
target has a working set of its own and goes through the rounds of `compact`, side by side with the others, so that one
product with X certifies them all. Targets with too many columns in play for either are left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.active_set import descend
from spred_bench.lasso.second_order.compact import (
    CAPACITY,
    LEVEL_RATIO,
    MOST_ACTIVE,
    Held,
    Standing,
    certify,
    one_round,
)
from spred_bench.lasso.second_order.design_matrix import Design
from spred_bench.lasso.second_order.gram_cache import gram_matrix
from spred_bench.lasso.second_order.joint import solve_jointly
from spred_bench.lasso.second_order.lasso_rounds import refuse_non_finite
from spred_bench.system.jit import compiled

_SMALL_GRAM = 2000  # columns whose inner products are formed whatever n is
_GRAM_PAYS = 30  # with at least p over that many targets, all inner products are formed once
_MOST_ROUNDS = 30


def has_columns(design: Design) -> bool:
    """Whether every column of X lies in one piece of main memory, as dense float64."""
    plain = not design.is_sparse and design.X.dtype == torch.float64 and design.device.type == "cpu"
    return plain and design.means is None and design.row_scale is None and design.X.T.is_contiguous()


def gram_pays(design: Design, n_targets: int) -> bool:
    """Whether to form all inner products of a small X for that many targets."""
    n, p = design.shape
    return _GRAM_PAYS * n_targets >= p and p <= max(2 * n, _SMALL_GRAM)


def solve_by_gram(rows: Tensor, Y: Tensor, alpha: float, tol: float, coef: Tensor, gaps: np.ndarray) -> None:
    """Lasso of every target from the inner products of X = rows' (p, n) and Y (n, m): fills coef (m, p), gaps (m,)."""
    n = rows.shape[1]
    B, squares = (rows @ Y / n).T.contiguous(), (Y * Y).sum(0) / n
    refuse_non_finite(B)
    gram = gram_matrix(rows) / n
    arrays = gram.numpy(), B.numpy(), squares.numpy(), alpha, coef.numpy(), gaps
    _in_threads(solve_in_gram, len(gaps), *arrays)
    crowded = torch.from_numpy(gaps > tol)
    if bool(crowded.any()):
        coef[crowded], found = solve_jointly(gram, B[crowded], squares[crowded], alpha, tol)
        gaps[crowded.numpy()] = found.numpy()


class _State(NamedTuple):
    """Where each of m targets is: W (m, p), residuals R (m, n), their correlations Q (m, p), gaps, pending or not;
    penalties reached, (size of the working set, columns in play); working sets as in `compact.Held`.
    """

    W: np.ndarray
    R: np.ndarray
    Q: np.ndarray
    gaps: np.ndarray
    pending: np.ndarray
    levels: np.ndarray
    counts: np.ndarray
    columns: np.ndarray
    member: np.ndarray
    grams: np.ndarray


def solve_in_rounds(design: Design, Y: Tensor, alpha: float, tol: float, coef: Tensor, gaps: np.ndarray) -> int:
    """Lasso of the targets Y (n, m) on the columns of `design`: fills coef (m, p), gaps (m,), infinite if given up.

    Returns the rounds it took, each one product with X.
    """
    n, p = design.shape
    m, X = Y.shape[1], design.X
    Y = Y.T.contiguous()
    B = Y @ X / n
    refuse_non_finite(B)
    state = _State(
        W=coef.numpy(),
        R=Y.numpy().copy(),
        Q=B.numpy().copy(),
        gaps=gaps,
        pending=np.ones(m, np.bool_),
        levels=B.abs().amax(1).numpy(),
        counts=np.zeros((m, 2), np.int64),
        columns=np.empty((m, CAPACITY), np.int64),
        member=np.zeros((m, p), np.bool_),
        grams=np.empty((m, CAPACITY, CAPACITY)),  # touched only where columns are in play
    )
    for rounds in range(_MOST_ROUNDS):
        _in_threads(_advance, m, X.T.numpy(), Y.numpy(), B.numpy(), alpha, tol, rounds, state)
        left = np.flatnonzero(state.pending)
        if not len(left):
            break
        state.Q[left] = (torch.from_numpy(state.R[left]) @ X).numpy() / n
    gaps[state.pending] = np.inf
    return rounds


def _in_threads(function: Callable, n_targets: int, *arrays) -> None:
    """Call function(first, last, *arrays) on one share of the targets for each of torch's threads; it frees the GIL."""
    n_threads = min(torch.get_num_threads(), n_targets)
    cuts = np.linspace(0, n_targets, n_threads + 1).astype(int)
    with ThreadPoolExecutor(n_threads) as pool:
        shares = [pool.submit(function, cuts[i], cuts[i + 1], *arrays) for i in range(n_threads)]
    for share in shares:
        share.result()


@compiled
def _advance(first, last, rows, Y, B, alpha, tol, rounds, state):
    """Judge the pending ones of targets `first` to `last`, and take those above `tol` through one round."""
    n = rows.shape[1]
    packed, nothing = np.empty((CAPACITY, n)), np.empty(0, np.int64)
    for t in range(first, last):
        if not state.pending[t]:
            continue
        y, w, r, q, yy = Y[t], state.W[t], state.R[t], state.Q[t], np.dot(Y[t], Y[t])
        state.gaps[t] = certify(r, q, w, yy, alpha, n)
        if state.gaps[t] <= tol and state.levels[t] <= alpha:
            state.pending[t] = False
            continue
        size, active = state.counts[t]
        for i in range(size):
            packed[i] = rows[state.columns[t, i]]
        held = Held(state.columns[t], state.member[t], packed, state.grams[t])
        at = one_round(rows, y, B[t], q, alpha, Standing(state.levels[t], size, active, rounds), nothing, held, w, r)
        state.levels[t], state.counts[t, 0], state.counts[t, 1] = at.level, at.size, at.active
        if at.size < 0:
            state.pending[t] = False
            state.gaps[t] = state.gaps[t] if state.gaps[t] <= tol else np.inf


@compiled
def solve_in_gram(first, last, gram, B, squares, alpha, coef, gaps):
    """Lasso of targets `first` to `last` from X'X/n (p, p), X'Y/n as rows (m, p) and |y|^2/n (m,), by `descend`.

    Fills coef (m, p) and the relative duality gaps (m,) in place; infinite where many columns come into play.
    """
    for t in range(first, last):
        b, gaps[t] = B[t], np.inf
        top = np.max(np.abs(b))
        if top <= alpha:
            coef[t], gaps[t] = 0.0, 0.0
            continue
        if np.count_nonzero(np.abs(b) > LEVEL_RATIO * top) > MOST_ACTIVE:
            continue
        w, reached, level = np.zeros(len(b)), True, top
        while reached and level > alpha:
            level = max(alpha, LEVEL_RATIO * level)
            w, reached = descend(gram, b, level, w, 2 * MOST_ACTIVE)
        if not reached:
            continue
        q = b.copy()
        for j in np.flatnonzero(w):
            q -= w[j] * gram[j]
        wq = np.dot(w, q)
        rr = squares[t] - np.dot(w, b) - wq  # |r|^2 / n
        coef[t] = w
        gaps[t] = relative_gap(rr, wq, alpha * np.sum(np.abs(w)), np.max(np.abs(q)), alpha, squares[t])
