"""One round of the encoder on the CPU, compiled: every patch for itself, on its active codes, in the cache.

The factor pair (w_j, v_j) of s_j = w_j v_j is minimised exactly with the other pairs fixed: if |z_j| <= kappa, with
z_j the correlation of atom j with the residual without it, (0, 0) is no saddle and the minimum; otherwise both factors
leave it, and s_j = sign(z_j) (|z_j| - kappa) / |b_j|^2: coordinate descent, in terms of s. Sweeps over the pairs settle
the signs; once a sweep changes none, a Newton step on the pairs that left (conjugate gradients, cut at the first
product to reach zero) gives the digits.
"""

import numpy as np

from spred_bench.lasso.duality import relative_gap
from spred_bench.system.jit import compiled, dot

_FIRST = 64  # codes that may enter at once, at least
_SWEEPS = 100
_PATIENCE = 8  # sweeps after which a Newton step is taken though signs still change
_INNER = 0.1  # a working set need not be solved to better than this fraction of the patch's gap


@compiled
def improve(gram, atoms, X, halves, live, Q, S, R, gaps, kappa, tol):
    """Certify the patches `live` and improve the codes of those above the relative gap `tol`; how many are left.

    gram (k, k), atoms (k, m), X (b, m), halves (b,) = |x|^2 / 2, live (c,) rows of X, Q (c, k) = R[live] B. In place:
    codes S (b, k), residuals R (b, m) = X - S B', gaps (b,) relative, the rows left at the head of `live`.
    """
    k, left, room = len(gram), 0, 32
    index, loaded, work = np.empty(room, np.int64), np.empty(room, np.bool_), np.empty((5, room), X.dtype)
    G = np.empty((room, room), X.dtype)
    for a in range(len(live)):
        i = live[a]
        q, s = Q[a], S[i]
        energy = dot(R[i], R[i], len(R[i]))
        gap = _gap(q, s, k, energy, kappa)
        gaps[i] = gap / halves[i] if halves[i] > 0 else 0
        if gap <= tol * halves[i]:  # false for NaN
            continue
        level, width = _level(q, s, kappa)
        if width > room:
            room = min(k, 2 * width)
            index, loaded, work = np.empty(room, np.int64), np.empty(room, np.bool_), np.empty((5, room), X.dtype)
            G = np.empty((room, room), X.dtype)
        w = 0
        for j in range(k):
            if s[j] != 0 or abs(q[j]) > level:
                index[w], loaded[w], work[0, w], work[1, w] = j, False, q[j], s[j]
                w += 1
        _solve(gram, index, loaded, w, G, work, energy, kappa, max(0.3 * tol * halves[i], _INNER * gap))
        for t in range(len(X[i])):
            R[i, t] = X[i, t]
        for p in range(w):
            s[index[p]] = work[1, p]
            if work[1, p] != 0:
                _add(R[i], -work[1, p], atoms[index[p]], len(X[i]))
        live[left] = i
        left += 1
    return left


@compiled
def _gap(q, s, n, energy, kappa):
    """Duality gap of 1/2 |x - B s|^2 + kappa |s|_1; energy = |x - B s|^2."""
    top, size = kappa, kappa - kappa
    for j in range(n):
        top = max(top, abs(q[j]))
        size += abs(s[j])
    return relative_gap(energy, dot(s, q, n), kappa * size, top, kappa, kappa - kappa)


@compiled
def _level(q, s, kappa):
    """Atoms above this |q| enter: about as many as there are active ones, at least _FIRST; and the number of both."""
    active, violating, top = 0, 0, kappa
    for j in range(len(q)):
        active += s[j] != 0
        violating += s[j] == 0 and abs(q[j]) > kappa
        top = max(top, abs(q[j]))
    level, most = kappa, max(_FIRST, active)
    for _ in range(10):
        if violating <= most * 5 // 4:
            break
        higher, above = (level + top) / 2, 0
        for j in range(len(q)):
            above += s[j] == 0 and abs(q[j]) > higher
        if above < most * 3 // 4:
            top = higher
        else:
            level, violating = higher, above
    return level, active + violating


@compiled
def _solve(gram, index, loaded, w, G, work, energy, kappa, target):
    """Sweeps and Newton steps on the working set until its gap is `target`; rows of G are fetched when first needed."""
    q, s = work[0], work[1]
    for sweep in range(1, _SWEEPS + 1):
        settled = True
        for p in range(w):
            curvature = gram[index[p], index[p]]
            z = q[p] + curvature * s[p]
            new = z - z
            if z > kappa:
                new = (z - kappa) / curvature
            elif z < -kappa:
                new = (z + kappa) / curvature
            if new != s[p]:
                _fetch(gram, index, loaded, w, G, p)
                settled = settled and new * s[p] > 0
                _add(q, s[p] - new, G[p], w)
                s[p] = new
        if _gap(q, s, w, energy, kappa) <= target:
            return
        if settled or sweep % _PATIENCE == 0:
            for p in range(w):
                if s[p] != 0:
                    _fetch(gram, index, loaded, w, G, p)
            _newton(G, w, work, kappa)


@compiled
def _newton(G, w, work, kappa):
    """Towards the minimum over the products with their present signs, as far as the first of them that reaches zero."""
    q, s, r, p, image = work[0], work[1], work[2], work[3], work[4]
    zero = kappa - kappa
    d = np.zeros(w, work.dtype)
    for j in range(w):
        r[j] = q[j] - np.sign(s[j]) * kappa if s[j] != 0 else zero
        p[j] = r[j]
    rr = dot(r, r, w)
    enough = 1e-6 * rr
    for _ in range(w):
        if rr <= enough:
            break
        for j in range(w):
            image[j] = zero
        for j in range(w):
            if p[j] != 0:
                _add(image, p[j], G[j], w)
        curvature, flat = dot(p, image, w), 1e-6 * dot(p, p, w)
        step = rr / max(curvature, flat)
        for j in range(w):
            d[j] += step * p[j]
            r[j] = r[j] - step * image[j] if s[j] != 0 else zero
        if curvature <= flat:  # more atoms than dimensions: on, until one of them vanishes
            break
        before, rr = rr, dot(r, r, w)
        for j in range(w):
            p[j] = r[j] + rr / before * p[j]
    t, blocking = zero + 1, -1
    for j in range(w):
        if d[j] * s[j] < 0 and abs(s[j]) < t * abs(d[j]):
            t, blocking = abs(s[j]) / abs(d[j]), j
    for j in range(w):
        if d[j] != 0:
            s[j] += t * d[j]
            _add(q, -t * d[j], G[j], w)
    if blocking >= 0:
        _add(q, s[blocking], G[blocking], w)
        s[blocking] = zero


@compiled
def _fetch(gram, index, loaded, w, G, p):
    if not loaded[p]:
        for t in range(w):
            G[p, t] = gram[index[p], index[t]]
        loaded[p] = True


@compiled
def _add(y, a, x, n):
    factor = y.dtype.type(a)
    for t in range(n):
        y[t] += factor * x[t]
