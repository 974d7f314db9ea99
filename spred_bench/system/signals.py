"""Signals become a flag that long work consults at safe points: a step boundary, the gap between two cells.

with interruptible():                # once, by the command line
    for cell in cells:
        signals.check()              # raises Interrupted if SIGTERM or Ctrl-C has arrived
        run(cell)                    # the trainer saves a checkpoint first, then raises
"""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# Terminals and wrappers may deliver one Ctrl-C twice; only a later one means "at once".
_SECOND_CTRL_C_AFTER_S = 1.0
# Schedulers say with it that the time is nearly up, some seconds before they end the job and start it again.
REQUEUE = signal.SIGUSR2
STOPPING = (signal.SIGTERM, signal.SIGINT, REQUEUE)
# How long a safe point may take before the scheduler's own handler (submitit's) gets the signal all the same.
_REQUEUE_WITHIN_S = 60.0

_installed = False
_pending: int | None = None
_arrived_s = 0.0
_former: dict = {}


class Interrupted(SystemExit):
    """Work stopped at a safe point; `code` is 128 + signal number (130 for Ctrl-C, 143 for SIGTERM).

    A SystemExit, so `except Exception` around a failing cell lets it through and, uncaught, it is the exit
    code.
    """

    def __init__(self, signum: int):
        super().__init__(128 + signum)
        self.signum = signum

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.signum).name}"


def requested() -> int | None:
    """The signal that arrived inside `interruptible()`, or None."""
    return _pending


def check(elsewhere: bool = False) -> None:
    """Raise Interrupted if a signal has arrived (`elsewhere`: if not here, then at a process that we work with); call
    it wherever stopping is safe."""
    if _pending is not None or elsewhere:
        raise Interrupted(_pending or signal.SIGTERM)


@contextmanager
def interruptible(signums: Iterable[int] = (signal.SIGTERM, signal.SIGINT)) -> Iterator[None]:
    """Turn these signals into the flag while the block runs, then put the former handlers back.

    A second Ctrl-C raises KeyboardInterrupt at once. Nested blocks and threads other than the main one
    install nothing. A signal the parent process told us to ignore (nohup) stays ignored. SIGUSR2 belongs to submitit
    where that launches the job: after the block, `pass_on` it; if no safe point comes, its handler is called anyway.
    """
    global _installed, _pending, _former
    if _installed or threading.current_thread() is not threading.main_thread():
        yield
        return
    # None is a handler that was not installed from Python: it could not be put back.
    former = {s: signal.getsignal(s) for s in signums if signal.getsignal(s) not in (signal.SIG_IGN, None)}
    _installed, _pending, _former = True, None, former
    try:
        for signum in former:
            signal.signal(signum, _handle)
        yield
    finally:
        for signum, handler in former.items():
            signal.signal(signum, handler)
        if _pending == REQUEUE and callable(former[REQUEUE]):
            signal.setitimer(signal.ITIMER_REAL, 0)
        _installed, _pending, _former = False, None, {}


def pass_on(signum: int) -> None:
    """Give a signal that `interruptible()` held back to the handler that it is for, if there is one."""
    handler = signal.getsignal(signum)
    if callable(handler):
        handler(signum, None)


def _handle(signum: int, frame) -> None:
    global _pending, _arrived_s
    now = time.monotonic()
    if _pending is None:
        _pending, _arrived_s = signum, now
        again = " (Ctrl-C again: at once)" if signum == signal.SIGINT else ""
        # os.write, because print and logging may be in the middle of a line when the signal arrives.
        os.write(2, f"\n{signal.Signals(signum).name}: stopping at the next safe point{again}\n".encode())
        if signum == REQUEUE and callable(_former[REQUEUE]):
            signal.signal(signal.SIGALRM, lambda *_: _former[REQUEUE](REQUEUE, frame))
            signal.setitimer(signal.ITIMER_REAL, _REQUEUE_WITHIN_S)
    elif signum == signal.SIGINT and now - _arrived_s > _SECOND_CTRL_C_AFTER_S:
        raise KeyboardInterrupt
