"""What there is to judge: tables of rows and the manifests of the runs that made them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from spred_bench.errors import UserError

REFERENCE = Path("results/reference")


def default_folder() -> Path:
    """The user's own results where there are runs, else the committed reference rows."""
    own = REFERENCE.parent
    return own if any(own.glob("*/*/run.json")) else REFERENCE


# The scale of rows that a script made, with a manifest beside them, outside any run.
SCRIPT = "script"


@dataclass(frozen=True)
class Folder:
    """One experiment: its rows, and {run id: manifest} of its runs. `scale` and `device` are columns of the rows."""

    name: str
    records: pd.DataFrame
    manifests: Mapping[str, Mapping]


def read(results: Path) -> list[Folder]:
    """Every experiment below `results`: collected tables (as results/reference has them), or runs not yet collected.

    A run enters once, however often it was merged, and with the rows it has now. Raises UserError where there are no
    rows, or a file is unreadable.
    """
    if not results.is_dir():
        raise UserError(f"{results} is not a folder; name the one that holds your results, or a reference")
    manifests = {}
    for path in [*results.glob("*/manifests/*.json"), *results.glob("*/*/run.json"), *results.glob("*/run.json")]:
        manifest = _read_json(path)
        manifests[manifest.get("run_id", path.parent.name)] = manifest
    folders, seen = [], set()
    runs = {run.name: run for folder in results.iterdir() for run in _runs(folder)}
    # Merged tables first: their folders bear the names of experiments.
    for folder in sorted(results.iterdir(), key=lambda folder: (bool(_runs(folder)), folder.name)):
        rows = _rows_of(_runs(folder)) or _merged(folder / "records.csv", runs)
        # A run without a finished cell has no rows; its empty columns would turn the numbers of other runs into text.
        rows = [table for table in rows if len(table)]
        rows = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({"run_id": []})
        rows = rows[~rows["run_id"].isin(seen)].reset_index(drop=True)
        if rows.empty:
            continue
        ids = [str(run_id) for run_id in rows["run_id"].dropna().unique()]
        seen |= {*ids}
        own = {name: manifests[name] for name in ids or [folder.name] if name in manifests}
        if own and not ids:
            rows["scale"] = SCRIPT
        else:
            for key in ("scale", "device"):
                of_run = {name: manifest.get("config", {}).get(key) for name, manifest in own.items()}
                rows[key] = rows["run_id"].map(of_run)
        rows.attrs["folder"] = folder  # where a figure finds the files that rows name
        folders.append(Folder(folder.name, rows, own))
    if not folders:
        raise UserError(f"{results}: no rows in it; after a run, name the folder its results_dir was")
    return folders


def all_rows(folders: Sequence[Folder]) -> pd.DataFrame:
    """The rows of all folders in one table; `folder` says where a row was found."""
    return pd.concat([folder.records.assign(folder=folder.name) for folder in folders], ignore_index=True)


def _rows_of(runs: Sequence[Path]) -> list[pd.DataFrame]:
    return [_read_rows(run / "records.csv") for run in runs if (run / "records.csv").exists()]


def _merged(path: Path, runs: Mapping[str, Path]) -> list[pd.DataFrame]:
    """The rows of a merged table, if there is one; of runs that are still there, those they have now."""
    if not path.exists():
        return []
    rows = _read_rows(path)
    there = [run_id for run_id in rows["run_id"].dropna().unique() if run_id in runs]
    return [rows[~rows["run_id"].isin(there)], *_rows_of([runs[run_id] for run_id in there])]


def _runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/run.json"))


def _read_json(path: Path) -> dict:
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("config", {}), dict):
        raise UserError(f"{path} is not a run's manifest; the command of the run writes it anew")
    return manifest


def _read_rows(path: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(path, low_memory=False, dtype={"run_id": str})
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable: {error}") from None
    if not {"task", "metric", "value"} <= set(rows):
        raise UserError(f"{path}: not a table of records (no columns 'task', 'metric' and 'value')")
    if "run_id" not in rows:
        rows["run_id"] = None
    return rows
