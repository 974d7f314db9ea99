"""The whole lasso solver for a small X in one compiled function: what costs a microsecond should not wait for Python.

The same rounds as in `lasso_rounds` (a falling penalty, a working set grown by the largest correlations, one pass over
X to certify), with `path_following` for the minimum on the working set. Gives up where many columns come into play:
there the systems are large and the time goes into matrix products, which `product_newton` does better.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from spred_bench.second_order.design_matrix import Design
from spred_bench.second_order.path_following import compiled, follow
from spred_bench.second_order.subproblem import gap_from

_SMALL_ENTRIES = 4_000_000  # an X with at most this many entries is small: 32 MB
_CAPACITY = 384  # columns a working set may hold
_MOST_ACTIVE = 160  # columns in play
_CROWD = 320  # columns that exceed the next penalty: it is not lowered further
_MOST_AHEAD = 16  # penalties of a path certified in one pass
_GROWTH = 64  # columns admitted in a round
_LEVEL_RATIO, _FEW, _NEAR = 0.3, 0.05, 0.7  # as in lasso_rounds


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
    held, member, m = np.empty(_CAPACITY, np.int64), np.zeros(p, np.bool_), 0
    packed, gram = np.empty((_CAPACITY, n)), np.empty((_CAPACITY, _CAPACITY))
    b, yy = np.dot(rows, y) / n, np.dot(y, y)
    w, r, q, gap, rounds, active = start.copy(), y.copy(), b.copy(), np.inf, 0, 0
    if not np.isfinite(b).all():
        return w, gap, rounds, False
    level = np.max(np.abs(b))
    if level == 0:
        return np.zeros(p), 0.0, rounds, True
    newcomers = np.flatnonzero(start)
    if len(newcomers):
        if len(newcomers) > _MOST_ACTIVE:
            return w, gap, rounds, False
        for j in newcomers:
            r -= w[j] * rows[j]
        q, level, active = np.dot(rows, r) / n, alpha, len(newcomers)
    for rounds in range(100):
        gap = _gap(r, q, w, y, yy, alpha, n)
        if gap <= tol:
            return w, gap, rounds, True
        settled = level <= alpha
        level = alpha if rounds and active <= _FEW * n else max(alpha, _LEVEL_RATIO * level)
        crowd = np.count_nonzero(np.abs(q) > level)
        if rounds == 0 and min(n, crowd) > _MOST_ACTIVE:
            return w, gap, rounds, False
        if min(n, crowd) > _CROWD:
            level = np.partition(np.abs(q), p - _CROWD)[p - _CROWD]
        if not (rounds == 0 and len(newcomers)):
            newcomers = _choose(q, member, level)
        if settled and rounds and len(newcomers) == 0:
            return w, gap, rounds, False
        if m + len(newcomers) > _CAPACITY:
            m = _keep_active(w, held, member, packed, gram, m)
        m = _admit(rows, newcomers, held, member, packed, gram, m)
        solved, reached = follow(gram, b[held[:m]], level, w[held[:m]], 20 * min(m, n) + 100)
        active = np.count_nonzero(solved)
        if not reached or active > _MOST_ACTIVE:
            return w, gap, rounds, False
        r[:] = y
        for i in range(m):
            w[held[i]] = solved[i]
            if solved[i] != 0:
                r -= solved[i] * packed[i]
        q = np.dot(rows, r) / n
    return w, gap, rounds, False


@compiled
def path_compact(rows, y, alphas, tol, coefs, gaps):
    """Lasso of X = rows' along decreasing alphas (a,): fills coefs (a, p) and relative duality gaps (a,) in place.

    Several penalties are solved on the working set before one pass over X certifies them together. Returns how many
    were reached before too many columns came into play.
    """
    p, n = rows.shape
    held, member, m = np.empty(_CAPACITY, np.int64), np.zeros(p, np.bool_), 0
    packed, gram = np.empty((_CAPACITY, n)), np.empty((_CAPACITY, _CAPACITY))
    b, yy = np.dot(rows, y) / n, np.dot(y, y)
    if not np.isfinite(b).all() or yy == 0:
        return 0
    done, ahead, w = 0, 1, np.zeros(p)
    while done < len(alphas):
        ahead = min(ahead, len(alphas) - done, _MOST_AHEAD)
        solved, R = np.zeros((ahead, p)), np.empty((ahead, n))
        start = w[held[:m]]
        for i in range(ahead):
            start, reached = follow(gram, b[held[:m]], alphas[done + i], start, 20 * min(m, n) + 100)
            if not reached or np.count_nonzero(start) > _MOST_ACTIVE:
                return done
            R[i] = y
            for j in range(m):
                solved[i, held[j]] = start[j]
                if start[j] != 0:
                    R[i] -= start[j] * packed[j]
        Q = np.dot(R, rows.T) / n
        for i in range(ahead):
            gap = _gap(R[i], Q[i], solved[i], y, yy, alphas[done], n)
            if gap > tol:
                newcomers = _choose(Q[i], member, alphas[done])
                if len(newcomers) == 0:
                    return done
                if m + len(newcomers) > _CAPACITY:
                    m = _keep_active(w, held, member, packed, gram, m)
                m = _admit(rows, newcomers, held, member, packed, gram, m)
                ahead = max(1, i)
                break
            coefs[done], gaps[done], w = solved[i], gap, solved[i]
            done += 1
        else:
            ahead *= 2
    return done


@compiled
def solve_in_gram(gram, B, squares, alpha, coef, gaps):
    """Lasso of many targets on all columns of a small X, from X'X/n (p, p), X'Y/n as rows (m, p) and |y|^2/n (m,).

    Fills coef (m, p) and the relative duality gaps (m,) in place; infinite where many columns come into play.
    """
    for t in range(len(B)):
        b, gaps[t] = B[t], np.inf
        top = np.max(np.abs(b))
        if top <= alpha:
            coef[t], gaps[t] = 0.0, 0.0
            continue
        if np.count_nonzero(np.abs(b) > _LEVEL_RATIO * top) > _MOST_ACTIVE:
            continue
        w, reached, level = np.zeros(len(b)), True, top
        while reached and level > alpha:
            level = max(alpha, _LEVEL_RATIO * level)
            w, reached = follow(gram, b, level, w, 2 * _MOST_ACTIVE)
        if not reached:
            continue
        q = b.copy()
        for j in np.flatnonzero(w):
            q -= w[j] * gram[j]
        # |r|^2 and r'y over n, from inner products
        ry = squares[t] - np.dot(w, b)
        gap = gap_from(ry - np.dot(w, q), ry, squares[t], np.max(np.abs(q)), alpha, alpha * np.sum(np.abs(w)))
        coef[t], gaps[t] = w, max(0.0, gap)


@compiled
def _gap(r, q, w, y, yy, alpha, n):
    """`subproblem.relative_gap`, compiled."""
    penalty = n * alpha * np.sum(np.abs(w))
    return max(0.0, gap_from(np.dot(r, r), np.dot(r, y), yy, np.max(np.abs(q)), alpha, penalty))


@compiled
def _admit(rows, newcomers, held, member, packed, gram, m):
    """Add columns to the working set of m, with their inner products; its new size."""
    before, n = m, rows.shape[1]
    for j in newcomers:
        held[m], packed[m], member[j] = j, rows[j], True
        m += 1
    if m > before:
        block = np.dot(packed[:m], packed[before:m].T) / n
        gram[:m, before:m] = block
        gram[before:m, :m] = block.T
    return m


@compiled
def _keep_active(w, held, member, packed, gram, m):
    """Drop the columns at zero from the working set; how many are left."""
    kept = np.flatnonzero(w[held[:m]])
    for i in range(len(kept)):
        for j in range(len(kept)):
            gram[i, j] = gram[kept[i], kept[j]]  # kept[i] >= i: nothing is read after it was written over
        packed[i] = packed[kept[i]]
    member[held[:m]] = False
    for i in range(len(kept)):
        held[i] = held[kept[i]]
    member[held[: len(kept)]] = True
    return len(kept)


@compiled
def _choose(q, member, level):
    """Columns outside the working set with the largest correlations, of those near the penalty or above it."""
    score = np.abs(q)
    near = np.flatnonzero((score > _NEAR * level) & ~member)
    if len(near) > _GROWTH:
        near = near[np.argsort(-score[near])[:_GROWTH]]
    return near
