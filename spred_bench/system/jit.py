"""The one way this package compiles loops: the same bits from every process, and a cache wherever one can be written.

Floating-point sums keep their order (no `fastmath`) in functions that call each other. With it, code that was just
compiled and the same code from the cache can differ in the last digits, because the compiler reorders a sum according
to what surrounds it. `dot` is written so that it becomes vector instructions all the same.

A cache lies beside the package, or in the user's cache folder where that is read-only. Where neither can be written (a
container, a cluster's read-only home, a full disk), or where the cache is damaged, functions are compiled anew: that
costs seconds in every process, never the run.
"""

import contextlib
from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile `function` in nopython mode on its first call; it releases the interpreter's lock while it runs."""
    return _compile(function, fastmath=False)


def compiled_alone(function: Callable) -> Callable:
    """The same for a function that no compiled function calls: sums may be reordered, since nothing surrounds them."""
    return _compile(function, fastmath={"reassoc", "contract", "nsz"})


def _compile(function: Callable, fastmath) -> Callable:
    try:
        dispatcher = njit(function, nogil=True, cache=True, fastmath=fastmath)
    except RuntimeError:  # "no locator available": no folder for a cache can be written
        return njit(function, nogil=True, fastmath=fastmath)
    dispatcher._cache = _Forgiving(dispatcher._cache)
    return dispatcher


class _Forgiving:
    """A cache of numba's that is passed over where it cannot be read or written."""

    def __init__(self, cache):
        self._cache = cache

    def __getattr__(self, name: str):
        return getattr(self._cache, name)

    def load_overload(self, signature, target_context):
        with contextlib.suppress(Exception):  # a damaged file raises whatever unpickling does
            return self._cache.load_overload(signature, target_context)
        return None

    def save_overload(self, signature, data) -> None:
        with contextlib.suppress(Exception):  # it reads the index first
            self._cache.save_overload(signature, data)


@compiled
def dot(x, y, n):
    """Inner product of the first n entries of x and y, in eight partial sums: the order that vectors have."""
    zero = x[0] - x[0] if n > 0 else x.dtype.type(0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    whole = n - n % 8
    for t in range(0, whole, 8):
        a += x[t] * y[t]
        b += x[t + 1] * y[t + 1]
        c += x[t + 2] * y[t + 2]
        d += x[t + 3] * y[t + 3]
        e += x[t + 4] * y[t + 4]
        f += x[t + 5] * y[t + 5]
        g += x[t + 6] * y[t + 6]
        h += x[t + 7] * y[t + 7]
    total = ((a + e) + (c + g)) + ((b + f) + (d + h))
    for t in range(whole, n):
        total += x[t] * y[t]
    return total
