"""The exact lasso on few columns, in their inner products, by following its solution along falling penalties.

Penalise coordinate j by lambda_j(t) = alpha + (1 - t) excess_j, with the excess chosen so that the given start is a
solution at t = 0. On the way to t = 1 the solution is linear in t until a product u_j v_j vanishes and its block sinks
back into (0, 0), or a block at (0, 0) becomes a saddle (|q_j| = lambda_j) and is left with the sign of q_j: Newton's
method on the factors without damping and without error (Osborne, Presnell & Turlach 2000, from zero; here from any
start). Exchanging several coordinates at a time takes fewer systems but cycles on correlated columns; this cannot.

Compiled: a turn of the path is a few microseconds of arithmetic, and would be fifty of interpretation.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from spred_bench.system import jit

# Sums may be reordered, so that they vectorise; infinities keep their meaning.
compiled = partial(jit.compiled, fastmath={"reassoc", "contract", "nsz"})

_DEPENDENT = 1e-10  # a column whose squared distance from the span of the others is below this fraction of its own
_GUESSES_WRONG = 4  # with more than one sign in that many of a guess wrong, the start is worth more than the guess


@compiled
def follow(gram, b, alpha, w, max_steps):
    """Minimise w'Gw/2 - b'w + alpha |w|_1 from `w` (c,), for G (c, c), C-contiguous, and b (c,).

    Returns (solution (c,), whether it was reached within max_steps). G need not have full rank: a column that depends
    on those in play takes the place of one of them.
    """
    c = len(b)
    inside, sign, factor = np.empty(c + 1, np.int64), np.empty(c + 1), np.empty((c + 1, c + 1))
    x, slope, fall, q = np.zeros(c + 1), np.zeros(c), np.empty(c), b.copy()
    _subtract(gram, np.arange(c), w, c, q)
    k = _begin(gram, b, alpha, w, q, True, inside, sign, factor, x)
    if k < 0:
        k = _begin(gram, b, alpha, w, q, False, inside, sign, factor, x)
    q[:] = b
    _subtract(gram, inside, x, k, q)
    free, excess, most = np.ones(c, np.bool_), np.zeros(c), 0.0  # free: at zero, and may leave it
    free[inside[:k]] = False
    for j in range(c):
        most = max(most, abs(q[j]) - alpha if free[j] else 0.0)
    excess[free] = most
    left = 1.0 if most > 0 else 0.0
    steps = 0
    while left > 0 and steps < max_steps:
        steps += 1
        for i in range(k):
            slope[i] = excess[inside[i]] * sign[i]
        _solve(factor, k, slope)
        fall[:] = 0.0
        _subtract(gram, inside, slope, k, fall)  # minus what is lost of q per unit of t
        step, entering, leaving = left, -1, -1
        for j in range(c):
            if free[j]:  # when |q_j + t fall_j| = level_j - t excess_j
                level, pace = alpha + left * excess[j], excess[j]
                if pace > -fall[j] and level - q[j] < step * (pace + fall[j]):
                    step, entering = max(0.0, (level - q[j]) / (pace + fall[j])), j
                if pace > fall[j] and level + q[j] < step * (pace - fall[j]):
                    step, entering = max(0.0, (level + q[j]) / (pace - fall[j])), j
        for i in range(k):
            if x[i] * slope[i] < 0 and abs(x[i]) < step * abs(slope[i]):
                step, leaving = abs(x[i]) / abs(slope[i]), i
        left -= step
        for i in range(k):
            x[i] += step * slope[i]
        for j in range(c):
            q[j] += step * fall[j]
        if leaving < 0 and entering >= 0:
            free[entering] = False
            inside[k], sign[k], x[k] = entering, np.sign(q[entering]), 0.0
            if _factorise(gram, inside, k, k + 1, factor):
                k += 1
                continue
            leaving = _shift_along(gram, inside, sign, factor, k, x)
            k += leaving >= 0
        if leaving >= 0:
            out = inside[leaving]
            k -= 1
            for i in range(leaving, k):
                inside[i], sign[i], x[i] = inside[i + 1], sign[i + 1], x[i + 1]
            free[:] = True  # those left out as dependent get another chance
            free[inside[:k]] = False
            q[out] *= 1 - 1e-12  # on its bound, moving inwards: not to be taken for one that enters
            if not _factorise(gram, inside, leaving, k, factor):
                return w, False
    for i in range(k):
        x[i] = b[inside[i]] - alpha * sign[i]
    _solve(factor, k, x)
    solution, settled = np.zeros(c), left <= 0
    for i in range(k):
        solution[inside[i]] = x[i]
        settled = settled and x[i] * sign[i] >= 0
    return solution, settled


@compiled
def _shift_along(gram, inside, sign, factor, k, x):
    """Move weight to a coordinate, the last of k + 1, whose column is a combination of the others', X w unchanged.

    The objective does not change on the way; it ends where a product vanishes. Returns which, or -1 if none does.
    """
    change, length, first = np.empty(k), np.inf, -1
    for i in range(k):
        change[i] = -sign[k] * gram[inside[k], inside[i]]
    _solve(factor, k, change)
    for i in range(k):
        if x[i] * change[i] < 0 and -x[i] / change[i] < length:
            length, first = -x[i] / change[i], i
    if first >= 0:
        for i in range(k):
            x[i] += length * change[i]
        x[k] = length * sign[k]
    return first


@compiled
def _begin(gram, b, alpha, w, q, guess, inside, sign, factor, x):
    """Take in the support of w and, as a guess, all with |q| > alpha, less those the solution contradicts.

    Fills inside, sign, factor and x; returns how many are in, or -1 where the guess was a bad one.
    """
    k = 0
    for j in range(len(b)):
        if w[j] != 0 or (guess and abs(q[j]) > alpha):
            inside[k], sign[k] = j, np.sign(w[j]) if w[j] != 0 else np.sign(q[j])
            k += 1
    tolerated = k // _GUESSES_WRONG
    while True:
        if not _factorise(gram, inside, 0, k, factor):
            return -1 if guess else 0
        for i in range(k):
            x[i] = b[inside[i]] - alpha * sign[i]
        _solve(factor, k, x)
        kept = 0
        for i in range(k):
            if x[i] * sign[i] > 0:
                inside[kept], sign[kept], x[kept] = inside[i], sign[i], x[i]
                kept += 1
        if kept == k:
            return k
        tolerated -= k - kept
        if guess and tolerated < 0:
            return -1
        k = kept


@compiled
def _subtract(gram, inside, x, k, q):
    """q -= G[:, inside] x, row by row of the symmetric G."""
    for i in range(k):
        if x[i] != 0:
            row, factor = gram[inside[i]], x[i]
            for j in range(len(q)):
                q[j] -= factor * row[j]


@compiled
def _factorise(gram, inside, first, k, factor):
    """Rows `first` to k of the Cholesky factor of G[inside, inside]; False at a column that depends on those before."""
    for i in range(first, k):
        row = gram[inside[i]]
        for j in range(i + 1):
            rest = row[inside[j]]
            for m in range(j):
                rest -= factor[i, m] * factor[j, m]
            if j < i:
                factor[i, j] = rest / factor[j, j]
            elif rest > _DEPENDENT * row[inside[i]]:
                factor[i, i] = np.sqrt(rest)
            else:
                return False
    return True


@compiled
def _solve(factor, k, x):
    """Overwrite x (k,) with the solution of factor factor' x = x."""
    for i in range(k):
        for j in range(i):
            x[i] -= factor[i, j] * x[j]
        x[i] /= factor[i, i]
    for i in range(k - 1, -1, -1):
        x[i] /= factor[i, i]
        for j in range(i):
            x[j] -= factor[i, j] * x[i]
