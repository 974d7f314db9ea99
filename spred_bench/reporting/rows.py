"""The table of records, long and tidy, one measurement a row: its fixed columns, its words, and the cell of a row.

run_id, task, dataset, method, seed, <the task's own key columns>, step, time_s, threads, split, metric, value, status,
note
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIST_END = ";"  # after every item of a field that holds several: a single number stays text
FIRST_COLUMNS = ("run_id", "task", "dataset", "method", "seed")
LAST_COLUMNS = ("step", "time_s", "threads", "split", "metric", "value", "status", "note")
STATUSES = ("done", "max_steps", "diverged", "timeout", "skipped", "failed")
# A cell with one of these is not run again; the others may succeed next time.
FINAL = ("done", "max_steps", "diverged", "timeout")


@dataclass(frozen=True)
class Cell:
    """Identity of one unit of work; `keys` holds what tells it from its neighbours, by column name."""

    dataset: str = ""
    method: str = ""
    seed: int | None = None
    keys: Mapping = field(default_factory=dict)

    @property
    def id(self) -> str:
        """A readable, unique key: 'gaussian/cd/seed=0/lambda_ratio=0.1'."""
        parts = [self.dataset, self.method, "" if self.seed is None else f"seed={self.seed}"]
        return "/".join(filter(None, [*parts, *(f"{key}={value}" for key, value in self.keys.items())]))

    def columns(self) -> dict:
        """The values every row of the cell carries."""
        return {"dataset": self.dataset, "method": self.method, "seed": self.seed, **self.keys}
