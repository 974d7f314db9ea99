"""Progress of a run: a bar on a terminal, which ticks inside a cell too; a line per cell anywhere else."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from spred_bench.system import activity

_LONGEST_NAME = 28
_EVERY_S = 0.2  # between two movements of the bar inside a cell
_WORTH_SAYING_S = 10.0  # time left that a line mentions
_FORMAT = "{desc} {percentage:3.0f}%|{bar}| {n:.1f}/{total} cells, {elapsed} gone, {remaining} left"


def duration(seconds: float) -> str:
    """A time for people: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


class _Lines:
    def __init__(self, total: int, report: Callable[[str], None]):
        self._total, self._report, self._done, self._start = total, report, 0, time.monotonic()

    def begin(self, name: str) -> None:
        """A cell starts."""

    def end(self, line: str, important: bool) -> None:
        """A cell is finished. The time left is that of the cells so far, in proportion."""
        self._done += 1
        left = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        self._report(line + (f"; about {duration(left)} left" if left >= _WORTH_SAYING_S else ""))


class _Bar:
    def __init__(self, bar):
        self._bar, self._done, self._moved = bar, 0, 0.0

    def begin(self, name: str) -> None:
        """A cell starts."""
        short = name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]
        self._bar.set_description_str(short.ljust(_LONGEST_NAME))

    def inside(self, fraction: float) -> None:
        """The cell has come so far. The bar never goes back: a cell may consist of several trainings."""
        now = time.monotonic()
        if now - self._moved >= _EVERY_S and self._done + fraction > self._bar.n:
            self._moved, self._bar.n = now, self._done + min(fraction, 0.99)
            self._bar.refresh()

    def end(self, line: str, important: bool) -> None:
        """A cell is finished; its line is shown if there is a reason."""
        if important:
            self._bar.write(line)
        self._done += 1
        self._bar.n = self._done
        self._bar.refresh()


@contextlib.contextmanager
def show(todo: Sequence, report: Callable[[str], None]) -> Iterator[_Lines | _Bar]:
    """Something with `begin(name)` and `end(line, important)`."""
    if not sys.stderr.isatty():
        yield _Lines(len(todo), report)
        return
    from tqdm import tqdm  # its lock would leave a semaphore behind in every process that is killed

    with tqdm(total=len(todo), leave=False, bar_format=_FORMAT, dynamic_ncols=True) as bar:
        shown = _Bar(bar)
        with activity.listening(shown.inside):
            yield shown
