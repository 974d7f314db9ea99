"""How far the work in hand has come: whoever works says so, whoever shows it listens.

A training calls `advance(step, n_steps)` at every step; the bar of the command line listens. Without a listener nothing
happens, so a library may call it anywhere.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listener: Callable[[float], None] | None = None
_begin, _share = 0.0, 1.0


@contextmanager
def listening(listener: Callable[[float], None]) -> Iterator[None]:
    """Call `listener(fraction)`, from 0 to 1, whenever the block's work advances."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


@contextmanager
def part(number: int, of: int) -> Iterator[None]:
    """The block is the part `number` (from 0) of `of` equal ones: all of its work is that share of the whole."""
    global _begin, _share
    before = _begin, _share
    _begin, _share = _begin + _share * number / of, _share / of
    try:
        yield
    finally:
        _begin, _share = before


def advance(done: float, total: float) -> None:
    """Say that `done` of `total` is done, in any unit; nothing is said of a total that is zero or infinite."""
    if _listener is not None and 0 < total < float("inf"):
        _listener(_begin + _share * min(max(done / total, 0.0), 1.0))
