"""Progress of a run: a bar on a terminal, a line per cell anywhere else."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence


class _Lines:
    def __init__(self, report: Callable[[str], None]):
        self._report = report

    def begin(self, name: str) -> None:
        """A cell starts."""

    def end(self, line: str, important: bool) -> None:
        """A cell is finished."""
        self._report(line)


class _Bar:
    def __init__(self, bar):
        self._bar = bar

    def begin(self, name: str) -> None:
        """A cell starts."""
        self._bar.set_description(name[-60:])

    def end(self, line: str, important: bool) -> None:
        """A cell is finished; its line is shown if there is a reason."""
        if important:
            self._bar.write(line)
        self._bar.update()


@contextlib.contextmanager
def show(todo: Sequence, report: Callable[[str], None]) -> Iterator[_Lines | _Bar]:
    """Something with `begin(name)` and `end(line, important)`."""
    if not sys.stderr.isatty():
        yield _Lines(report)
        return
    from tqdm import tqdm  # its lock would leave a semaphore behind in every process that is killed

    with tqdm(total=len(todo), unit="cell", leave=False) as bar:
        yield _Bar(bar)
