"""A stopwatch that can pause for evaluation, and waits for a CUDA device where there is one."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Seconds of work, pauses left out.

    On a CUDA device every start, pause and reading of `elapsed_s` waits for the queued kernels first, so that
    work is charged to the side of the pause that asked for it. Elsewhere nothing is synchronised and torch is
    not needed.
    """

    def __init__(self, device=None, elapsed_s: float = 0.0):
        """`device`: a torch device or its name; `elapsed_s`: what earlier segments of a resumed run took."""
        self._device = str(device) if str(device).startswith("cuda") else None
        self._before_s = float(elapsed_s)
        self._since: float | None = None

    def start(self) -> "Stopwatch":
        """Start or resume. RuntimeError if it is running."""
        if self._since is not None:
            raise RuntimeError("the stopwatch is running already")
        self._since = self._now()
        return self

    resume = start

    def pause(self) -> float:
        """Stop counting; returns the elapsed seconds. RuntimeError if it is not running."""
        if self._since is None:
            raise RuntimeError("the stopwatch is not running")
        self._before_s += self._now() - self._since
        self._since = None
        return self._before_s

    def reset(self, elapsed_s: float = 0.0) -> None:
        """Set what has elapsed, for a resumed run. RuntimeError if it is running."""
        if self._since is not None:
            raise RuntimeError("pause the stopwatch before resetting it")
        self._before_s = float(elapsed_s)

    @property
    def running(self) -> bool:
        """Whether time is counted now."""
        return self._since is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds of work so far; on CUDA, after waiting for what is queued."""
        return self._before_s + (self._now() - self._since if self.running else 0.0)

    def peek_s(self) -> float:
        """`elapsed_s` without waiting for the device: a lower bound on CUDA, cheap enough for every step."""
        return self._before_s + (time.perf_counter() - self._since if self.running else 0.0)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the block out of the time; a stopwatch that is not running stays so."""
        was_running = self.running
        if was_running:
            self.pause()
        try:
            yield
        finally:
            if was_running:
                self.start()

    def __enter__(self) -> "Stopwatch":
        return self.start()

    def __exit__(self, *exc) -> None:
        if self.running:
            self.pause()

    def _now(self) -> float:
        if self._device is not None:
            import torch

            torch.cuda.synchronize(self._device)
        return time.perf_counter()
