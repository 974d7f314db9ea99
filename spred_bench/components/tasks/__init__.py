"""Tasks, one file each, with a class `Task`: an experiment as cells and rows. The mathematics is elsewhere.

A cell is the unit of resuming, failing and timing. While `run(cell)` works, two folders can be used:

    self.scratch       the cell's own, not made yet. It outlives a kill, and goes away once the cell's rows are in the
                       journal. A task that trains gives each training `checkpoint.of_cell(self, cell, name)`, so that
                       a cell that was killed goes on where it was.
    self.run_folder    the run's own: files that figures need beside the rows go below it, named by the cell.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import pandas as pd

from spred_bench.components import data
from spred_bench.reporting.rows import Cell


class BaseTask(ABC):
    """What the runner asks of every task. key_columns: the columns of its rows beside those that all tasks have."""

    key_columns: ClassVar[tuple[str, ...]] = ()
    scratch = None
    run_folder = None

    @abstractmethod
    def cells(self) -> list[Cell]:
        """The units of work, in the order in which they run. Raises UserError for what cannot run."""

    @abstractmethod
    def run(self, cell: Cell) -> Iterable[dict]:
        """The rows of one cell. Raises Skip, with the reason, where it cannot run here."""

    @abstractmethod
    def summary(self, records: pd.DataFrame) -> pd.DataFrame | dict[str, pd.DataFrame] | None:
        """What is printed at the end: a table, several by name, or None."""

    def files(self, records: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """{name: table} to be written beside the rows as <name>.csv."""
        return {}

    def provenance(self) -> dict:
        """What the manifest keeps of the data files."""
        return {}

    def close(self) -> None:
        """Release what outlives a cell, such as child processes. Called once, when the run ends."""


class DataTask(BaseTask):
    """A task with data sources in `self.data`, {label: source}."""

    def provenance(self) -> dict:
        """Checksums of the data files, for the manifest."""
        return data.provenance(self.data)
