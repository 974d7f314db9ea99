"""The whole lasso solver for a small X in one compiled function: what costs a microsecond should not wait for Python.

The same rounds as in `lasso_rounds` (a falling penalty, a working set grown by the largest correlations, one pass over
X to certify), with `active_set` for the minimum on the working set. Gives up where many columns come into play:
there the systems are large and the time goes into matrix products, which `product_newton` does better.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from spred_bench.lasso.duality import relative_gap
from spred_bench.lasso.second_order.active_set import descend
from spred_bench.lasso.second_order.design_matrix import Design
from spred_bench.system.jit import compiled

_SMALL_ENTRIES = 4_000_000  # an X with at most this many entries is small: 32 MB
CAPACITY = 384  # columns a working set may hold
MOST_ACTIVE = 160  # columns in play
_CROWD = 320  # columns that exceed the next penalty: it is not lowered further
_MOST_AHEAD = 16  # penalties of a path certified in one pass
_MOST_LEVELS = 20  # after that many rounds the penalty is the one asked for
_GROWTH = 64  # columns admitted in a round
LEVEL_RATIO, _FEW, _NEAR = 0.3, 0.05, 0.7  # as in lasso_rounds


class Held(NamedTuple):
    """Room for a working set: its columns (c,), which columns of X are in it (p,), themselves (c, n), X'X/n (c, c)."""

    columns: np.ndarray
    member: np.ndarray
    packed: np.ndarray
    gram: np.ndarray


class Standing(NamedTuple):
    """Where a target is: the penalty reached, the size of its working set, the columns in play, the rounds so far."""

    level: float
    size: int
    active: int
    rounds: int


def is_small(design: Design) -> bool:
    """Whether `solve_compact` is worth a try: a dense float64 X in main memory, of few entries."""
    plain = not design.is_sparse and design.X.dtype == torch.float64 and design.device.type == "cpu"
    return plain and math.prod(design.shape) <= _SMALL_ENTRIES


@compiled
def solve_compact(rows, y, alpha, tol, start):
    """Lasso of X = rows' with rows (p, n) C-contiguous, y (n,), from `start` (p,).

    Returns (w (p,), relative duality gap, rounds, whether the gap is at most tol).
    """
    p, n = rows.shape
    held = empty_set(p, n)
    b, yy = np.dot(rows, y) / n, np.dot(y, y)
    w, r, q, gap, rounds = start.copy(), y.copy(), b.copy(), np.inf, 0
    if not np.isfinite(b).all():
        return w, gap, rounds, False
    at = Standing(np.max(np.abs(b)), 0, 0, 0)
    if at.level == 0:
        return np.zeros(p), 0.0, rounds, True
    newcomers = np.flatnonzero(start)
    if len(newcomers):
        if len(newcomers) > MOST_ACTIVE:
            return w, gap, rounds, False
        for j in newcomers:
            r -= w[j] * rows[j]
        q, at = np.dot(rows, r) / n, Standing(alpha, 0, len(newcomers), 0)
    for rounds in range(100):
        gap = certify(r, q, w, yy, alpha, n)
        if gap <= tol and at.level <= alpha:
            return w, gap, rounds, True
        at = one_round(rows, y, b, q, alpha, at, newcomers, held, w, r)
        if at.size < 0:
            return w, gap, rounds, gap <= tol
        q = np.dot(rows, r) / n
    return w, gap, rounds, False


@compiled
def one_round(rows, y, b, q, alpha, at, newcomers, held, w, r):
    """Lower the penalty, let columns into the working set, solve there: w (p,), r (n,) and the set in place.

    newcomers: what the first round admits instead of a choice, if there are any.  Returns the new standing, of size -1
    where too many columns are in play or there is none left to admit.
    """
    p, n = rows.shape
    first, settled = at.rounds == 0, at.level <= alpha
    few = (not first and at.active <= _FEW * n) or at.rounds >= _MOST_LEVELS
    level = alpha if few else max(alpha, LEVEL_RATIO * at.level)
    lost = Standing(level, -1, at.active, at.rounds)
    crowd = np.count_nonzero(np.abs(q) > level)
    if first and min(n, crowd) > MOST_ACTIVE:
        return lost
    if min(n, crowd) > _CROWD:
        level = np.partition(np.abs(q), p - _CROWD)[p - _CROWD]
    entering = newcomers if first and len(newcomers) else _choose(q, held.member, level)
    if settled and not first and len(entering) == 0:
        return lost
    m = at.size
    if m + len(entering) > CAPACITY:
        m = _keep_active(w, held, m)
    m = _admit(rows, entering, held, m)
    columns = held.columns[:m]
    solved, reached = descend(held.gram, b[columns], level, w[columns], 20 * min(m, n) + 100)
    active = np.count_nonzero(solved)
    if not reached or active > MOST_ACTIVE:
        return lost
    r[:] = y
    for i in range(m):
        w[columns[i]] = solved[i]
        if solved[i] != 0:
            r -= solved[i] * held.packed[i]
    return Standing(level, m, active, at.rounds + 1)


@compiled
def path_compact(rows, y, alphas, tol, coefs, gaps):
    """Lasso of X = rows' along decreasing alphas (a,): fills coefs (a, p) and relative duality gaps (a,) in place.

    Several penalties are solved on the working set before one pass over X certifies them together. Returns how many
    were reached before too many columns came into play.
    """
    p, n = rows.shape
    held, m = empty_set(p, n), 0
    b, yy = np.dot(rows, y) / n, np.dot(y, y)
    if not np.isfinite(b).all() or yy == 0:
        return 0
    done, ahead, w = 0, 1, np.zeros(p)
    while done < len(alphas):
        ahead = min(ahead, len(alphas) - done, _MOST_AHEAD)
        solved, R = np.zeros((ahead, p)), np.empty((ahead, n))
        columns = held.columns[:m]
        start = w[columns]
        for i in range(ahead):
            start, reached = descend(held.gram, b[columns], alphas[done + i], start, 20 * min(m, n) + 100)
            if not reached or np.count_nonzero(start) > MOST_ACTIVE:
                return done
            R[i] = y
            for j in range(m):
                solved[i, columns[j]] = start[j]
                if start[j] != 0:
                    R[i] -= start[j] * held.packed[j]
        Q = np.dot(R, rows.T) / n
        for i in range(ahead):
            gap = certify(R[i], Q[i], solved[i], yy, alphas[done], n)
            if gap > tol:
                newcomers = _choose(Q[i], held.member, alphas[done])
                if len(newcomers) == 0:
                    return done
                if m + len(newcomers) > CAPACITY:
                    m = _keep_active(w, held, m)
                m = _admit(rows, newcomers, held, m)
                ahead = max(1, i)
                break
            coefs[done], gaps[done], w = solved[i], gap, solved[i]
            done += 1
        else:
            ahead *= 2
    return done


@compiled
def certify(r, q, w, yy, alpha, n):
    """Relative duality gap of w (p,) with residual r (n,) and correlations q (p,); yy = |y|^2."""
    penalty, top = alpha * np.sum(np.abs(w)), np.max(np.abs(q))
    return relative_gap(np.dot(r, r) / n, np.dot(w, q), penalty, top, alpha, yy / n)


@compiled
def empty_set(p, n):
    """Room for the columns of one target."""
    square = np.empty((CAPACITY, CAPACITY))
    return Held(np.empty(CAPACITY, np.int64), np.zeros(p, np.bool_), np.empty((CAPACITY, n)), square)


@compiled
def _admit(rows, newcomers, held, m):
    """Add columns to the working set of m, with their inner products; its new size."""
    before, n = m, rows.shape[1]
    for j in newcomers:
        held.columns[m], held.packed[m], held.member[j] = j, rows[j], True
        m += 1
    if m > before:
        block = np.dot(held.packed[:m], held.packed[before:m].T) / n
        held.gram[:m, before:m] = block
        held.gram[before:m, :m] = block.T
    return m


@compiled
def _keep_active(w, held, m):
    """Drop the columns at zero from the working set; how many are left."""
    columns, gram = held.columns, held.gram
    kept = np.flatnonzero(w[columns[:m]])
    for i in range(len(kept)):
        for j in range(len(kept)):
            gram[i, j] = gram[kept[i], kept[j]]  # kept[i] >= i: nothing is read after it was written over
        held.packed[i] = held.packed[kept[i]]
    held.member[columns[:m]] = False
    for i in range(len(kept)):
        columns[i] = columns[kept[i]]
    held.member[columns[: len(kept)]] = True
    return len(kept)


@compiled
def _choose(q, member, level):
    """Columns outside the working set with the largest correlations, of those near the penalty or above it."""
    score = np.abs(q)
    near = np.flatnonzero((score > _NEAR * level) & ~member)
    if len(near) > _GROWTH:
        near = near[np.argsort(-score[near])[:_GROWTH]]
    return near
