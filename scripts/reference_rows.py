"""How measurements that are no runs of the program are kept: records.csv and run.json in a folder."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from spred_bench import __version__
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS
from spred_bench.system import machine

HERE = Path(__file__).parent


class Measurement:
    """Rows of `name`, shown as they come; `write` puts them and the stamp of the machine into `folder`.

    The folder is the first word of the command, or results/reference/<name>.
    """

    def __init__(self, name: str, folder: str | None, keys: Iterable[str]):
        self.name, self.keys = name, tuple(keys)
        self.folder = Path(folder) if folder else HERE.parent / "results" / "reference" / name
        self.start, self.rows = datetime.now(UTC).isoformat(timespec="seconds"), []

    def add(self, metric: str, value: float | None, status: str = "done", **columns) -> None:
        """One row; a value that there is not is None."""
        self.rows.append({"task": self.name, "metric": metric, "value": value, "status": status, **columns})
        print(*columns.values(), metric, status if value is None else f"{value:.4g}", flush=True)

    def write(self, **settings) -> None:
        """Write both files; `settings` go into run.json."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "records.csv", "w", newline="") as file:
            columns = [*FIRST_COLUMNS, *self.keys, *LAST_COLUMNS]
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
        stamp = {"spred_bench": __version__, "git": machine.git_state(HERE), "start": self.start, **settings}
        text = json.dumps({**stamp, "environment": machine.environment()}, indent=2)
        (self.folder / "run.json").write_text(f"{text}\n")
