"""How a run ended: its state, its cells by status, and the exit code that belongs to it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spred_bench.reporting.rows import FINAL

DONE, FAILED, REFUSED, INTERRUPTED = "done", "failed", "refused", "interrupted"
# Seen from outside: another process has the run, its process died, it was never started.
RUNNING, CRASHED, NOT_STARTED = "running", "crashed", "not started"
# Cells that are done and yet have no solution; they are counted beside those that are done.
_UNSOLVED = {"diverged": "diverged", "timeout": "timed out", "max_steps": "stopped at max_steps"}


@dataclass
class RunResult:
    """What a run came to, as plain data that a child process can send.

    state: one of the words above.  text: a line for the user.  signum: the signal that interrupted it.
    cells: how many cells are done, failed and skipped; and of those done, how many diverged, timed out, or stopped
    at max_steps.  reused: how many of the done are from an earlier run.
    words: in a sweep, the values on its axes.  before: in a sweep, done by an earlier command.
    """

    path: Path | None = None
    state: str = NOT_STARTED
    text: str = ""
    signum: int | None = None
    cells: Counter = field(default_factory=Counter)
    reused: int = 0
    words: str = ""
    before: bool = False

    @property
    def code(self) -> int:
        """The exit code of the program for this run alone."""
        if self.signum is not None:
            return 128 + self.signum
        return {DONE: 0, REFUSED: 2}.get(self.state, 1)

    def __str__(self) -> str:
        earlier = f" ({self.reused} from an earlier run)" if self.reused else ""
        counts = f"{self.cells['done']} done{earlier}, {self.cells['failed']} failed, {self.cells['skipped']} skipped"
        unsolved = unsolved_words(self.cells)
        return f"{counts}; of those done {unsolved}" if unsolved else counts


def count(statuses: Iterable[str]) -> Counter:
    """The cells of a run by status, as `RunResult.cells` has them: diverged cells are counted as done, too."""
    counts = Counter(done=0, failed=0, skipped=0)
    for status in statuses:
        counts["done" if status in FINAL else status] += 1
        if status in _UNSOLVED:
            counts[status] += 1
    return counts


def unsolved_words(cells: Mapping[str, int]) -> str:
    """'3 diverged, 1 timed out', or nothing."""
    return ", ".join(f"{cells[status]} {words}" for status, words in _UNSOLVED.items() if cells.get(status))
