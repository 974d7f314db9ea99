"""The lasso on a working set, in its inner products, by descent from face to face: slower than the rest, never lost.

A face is a support with signs. On it the objective is a quadratic: go to its minimum, or to the first product that
vanishes on the way, and drop that one; at the minimum take in the column that violates optimality most (feature-sign
search, Lee, Battle, Raina & Ng 2007). Columns in play are kept independent: weight on a column that depends on others
is shifted along them, which leaves X w and does not raise |w|_1, until a product vanishes. The objective never rises,
so no face comes twice. Rank-deficient and nearly rank-deficient columns are what this is for.
"""

from __future__ import annotations

import numpy as np

from spred_bench.system.jit import compiled, dot

_DEPENDENT = 1e-13  # squared distance from the span of the others, as a fraction of a column's own
_FEASIBLE = 1e-11  # an excess over alpha, as a fraction of it, that is none


@compiled
def descend(gram, b, alpha, w, max_steps):
    """Minimise w'Gw/2 - b'w + alpha |w|_1 from `w` (c,), for any positive semidefinite G (c, c) and b (c,).

    Returns (solution (c,), whether the optimality conditions were reached within max_steps exchanges). The solution has
    independent columns, and an objective of at most that of `w`, up to rounding.
    """
    c = len(b)
    inside, x, factor, k = np.empty(c + 1, np.int64), w.copy(), np.empty((c + 1, c + 1)), 0
    noise = 4e-16 * np.max(np.abs(b)) if c else 0.0
    q, barred, last, steps = np.empty(c), np.zeros(c, np.bool_), -1, 0
    for j in np.flatnonzero(w):
        k = _take_in(gram, inside, factor, k, j, x)
    while steps < max_steps:
        k, changes = _minimise_on_face(gram, b, alpha, inside, factor, k, x)
        steps += changes + 1
        if last >= 0:  # one that was sent back at once came in by rounding alone
            back = x[last] == 0 and changes == 1
            barred[:] = barred & back
            barred[last] = back
        q[:] = b
        for i in range(k):
            row, weight = gram[inside[i]], x[inside[i]]
            for j in range(c):
                q[j] -= weight * row[j]
        last, worst = -1, alpha * (1 + _FEASIBLE) + noise
        for j in range(c):
            if x[j] == 0 and abs(q[j]) > worst and gram[j, j] > 0 and not barred[j]:
                last, worst = j, abs(q[j])
        if last < 0:
            return x, True
        k = _enter(gram, inside, factor, k, last, np.sign(q[last]), x)
        if k < 0:
            return x, False
    return x, False


@compiled
def _minimise_on_face(gram, b, alpha, inside, factor, k, x):
    """To the minimum over the columns in play with their signs, dropping what vanishes; (their number, drops)."""
    drops = 0
    goal = np.empty(k)
    while k > 0:
        for i in range(k):
            goal[i] = b[inside[i]] - alpha * _sign_of(x, inside[i])
        _solve(factor, k, goal)
        step, first = 1.0, -1
        for i in range(k):
            value = abs(x[inside[i]])
            if goal[i] * _sign_of(x, inside[i]) <= 0 and value < step * abs(goal[i] - x[inside[i]]):
                step, first = value / abs(goal[i] - x[inside[i]]), i
        for i in range(k):
            x[inside[i]] += step * (goal[i] - x[inside[i]])
        if first < 0:
            break
        x[inside[first]] = 0.0
        k = _drop(inside, factor, k, first)
        drops += 1
    return k, drops


@compiled
def _sign_of(x, j):
    return 1.0 if x[j] > 0 else -1.0


@compiled
def _enter(gram, inside, factor, k, j, sign, x):
    """Bring column j, at zero, into play with the given sign; how many are in play then, -1 if that cannot be."""
    if _append(gram, inside, factor, k, j):
        x[j] = sign * 1e-300
        return k + 1
    change = _combination(gram, inside, factor, k, j)
    while True:
        length, first = np.inf, -1
        for i in range(k):
            if x[inside[i]] * change[i] * sign > 0 and x[inside[i]] / (change[i] * sign) < length:
                length, first = x[inside[i]] / (change[i] * sign), i
        if first < 0:
            return -1
        for i in range(k):
            x[inside[i]] -= length * sign * change[i]
        x[j] += length * sign
        x[inside[first]] = 0.0
        k = _drop(inside, factor, k, first)
        if x[j] == 0:
            x[j] = sign * 1e-300
        return _take_in(gram, inside, factor, k, j, x)


@compiled
def _take_in(gram, inside, factor, k, j, x):
    """Put column j, with weight x_j, among the k in play; where it depends on them, shift weight until one vanishes."""
    while not _append(gram, inside, factor, k, j):
        if k == 0:
            x[j] = 0.0
            return 0
        change = _combination(gram, inside, factor, k, j)
        toward = -_sign_of(x, j)  # of x_j; the others move by the opposite times `change`
        growth = -1.0
        for i in range(k):
            growth -= toward * change[i] * _sign_of(x, inside[i])
        if growth > 0:
            toward = -toward
        length, first = np.inf, -1
        if toward * x[j] < 0:
            length, first = abs(x[j]), k
        for i in range(k):
            pace = -toward * change[i]
            if pace * x[inside[i]] < 0 and abs(x[inside[i]]) < length * abs(pace):
                length, first = abs(x[inside[i]]) / abs(pace), i
        if first < 0:
            x[j] = 0.0
            return k
        for i in range(k):
            x[inside[i]] -= length * toward * change[i]
        x[j] += length * toward
        if first == k or x[j] == 0:
            x[j] = 0.0
            return k
        x[inside[first]] = 0.0
        k = _drop(inside, factor, k, first)
    return k + 1


@compiled
def _combination(gram, inside, factor, k, j):
    """Coefficients (k,) of column j in terms of those in play."""
    change = np.empty(k)
    for i in range(k):
        change[i] = gram[j, inside[i]]
    _solve(factor, k, change)
    return change


@compiled
def _append(gram, inside, factor, k, j):
    """Row k of the Cholesky factor, for column j; False where that depends on those in play."""
    rest = gram[j, j]
    for i in range(k):
        value = (gram[j, inside[i]] - dot(factor[k], factor[i], i)) / factor[i, i]
        factor[k, i] = value
        rest -= value * value
    if not rest > _DEPENDENT * gram[j, j]:
        return False
    factor[k, k], inside[k] = np.sqrt(rest), j
    return True


@compiled
def _drop(inside, factor, k, out):
    """Remove row `out` of the Cholesky factor and make it triangular again by rotations; the columns left in play."""
    for i in range(out, k - 1):
        inside[i] = inside[i + 1]
        for m in range(i + 2):
            factor[i, m] = factor[i + 1, m]
    for i in range(out, k - 1):
        a, e = factor[i, i], factor[i, i + 1]
        length = np.hypot(a, e)
        cosine, sine = a / length, e / length
        for row in range(i, k - 1):
            a, e = factor[row, i], factor[row, i + 1]
            factor[row, i], factor[row, i + 1] = cosine * a + sine * e, cosine * e - sine * a
    return k - 1


@compiled
def _solve(factor, k, x):
    """Overwrite x (k,) with the solution of factor factor' x = x."""
    for i in range(k):
        x[i] = (x[i] - dot(factor[i], x, i)) / factor[i, i]
    for i in range(k - 1, -1, -1):
        x[i] /= factor[i, i]
        for j in range(i):
            x[j] -= factor[i, j] * x[i]
