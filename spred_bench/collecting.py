"""Merge the runs of a task into one table: any number of times, also while others are writing or have failed."""

import json
from pathlib import Path

import pandas as pd

from spred_bench import records
from spred_bench.errors import UserError


def collect(results: Path, tasks: list[str] | None = None) -> list[str]:
    """Write `results/<task>/records.csv` and `runs.csv` for each task; a line of report per task.

    Rows of failed cells are kept, with their status. Raises UserError where there is nothing to collect or a run was
    written under another schema.
    """
    if not results.is_dir():
        raise UserError(f"collect: {results} is not a folder")
    names = tasks or sorted({path.parent.parent.name for path in results.glob("*/*/run.json")})
    if not names:
        raise UserError(f"collect: no runs below {results}")
    return [_collect_task(results / name) for name in names]


def _collect_task(folder: Path) -> str:
    runs = sorted(path.parent for path in folder.glob("*/run.json"))
    if not runs:
        raise UserError(f"collect: no runs in {folder}")
    manifests = {run: records.read_manifest(run) for run in runs}
    for run, manifest in manifests.items():
        if manifest.get("schema_version") != records.SCHEMA_VERSION:
            raise UserError(
                f"collect: {run} has schema version {manifest.get('schema_version')}, this program writes "
                f"{records.SCHEMA_VERSION}; run it again (force=true) or move it away"
            )
    rows = [
        {"run_id": run.name, "task": folder.name, **row}
        for run in runs
        for entry in records.read_journal(run / "cells.jsonl").values()
        for row in entry["rows"]
    ]
    keys = dict.fromkeys(key for row in rows for key in row)
    fixed = [*records.FIRST_COLUMNS, *records.LAST_COLUMNS]
    columns = [*records.FIRST_COLUMNS, *(key for key in keys if key not in fixed), *records.LAST_COLUMNS]
    table = pd.DataFrame(rows, columns=columns).convert_dtypes()
    records.write_atomic(folder / "records.csv", table.to_csv(index=False, lineterminator="\n"))
    summary = pd.DataFrame([_run_row(run, manifest) for run, manifest in manifests.items()])
    records.write_atomic(folder / "runs.csv", summary.to_csv(index=False, lineterminator="\n"))
    return f"{folder / 'records.csv'}: {len(table)} rows of {len(runs)} runs"


def _run_row(run: Path, manifest: dict) -> dict:
    config, environment = manifest["config"], manifest["environment"]
    counts = manifest.get("cells", {})
    return {
        "run_id": run.name,
        "task": manifest["task"],
        "status": manifest["status"],
        **{key: config.get(key) for key in ("kappa", "seed", "scale", "device")},
        **{f"cells_{fate}": counts.get(fate) for fate in ("done", "failed", "skipped")},
        "start": manifest["start"],
        "end": manifest.get("end"),
        "spred_bench": manifest["spred_bench"],
        "git": json.dumps(manifest["git"]),
        "cpu": environment.get("cpu"),
        "command": manifest["command"],
    }
