"""Merge runs into one table: any number of times, also while others are writing or have failed."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from spred_bench.errors import UserError
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS
from spred_bench.running import integrity, records, result
from spred_bench.system import files, locking

_DAMAGED = "damaged"


def collect(
    results: Path,
    tasks: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> list[str]:
    """Write `records.csv` and `runs.csv` of each task into results/<task>, or `output`; a line of report per task.

    `where` picks runs by keys of their configuration. Raises UserError where there is nothing to collect, or runs
    cannot be merged; the other tasks are collected before.
    """
    if not results.is_dir():
        raise UserError(f"collect: {results} is not a folder")
    names = tasks or sorted({path.parent.parent.name for path in results.glob("*/*/run.json")})
    if not names:
        raise UserError(f"collect: no runs below {results}")
    if output is not None and len(names) > 1:
        raise UserError(f"collect --output: takes one task at a time; there are {', '.join(names)}")
    lines, refusals = [], []
    for name in names:
        folder = results / name
        try:
            lines.append(merge(sorted(path.parent for path in folder.glob("*/run.json")), output or folder, where))
        except UserError as refusal:
            refusals.append(str(refusal).replace("no runs", f"no runs in {folder}"))
    if refusals:
        raise UserError("; ".join([*refusals, *(f"collected {line}" for line in lines)]))
    return lines


def merge(runs: Sequence[Path], target: Path, where: Mapping[str, str] | None = None) -> str:
    """Write the rows and manifests of `runs` to target/records.csv and runs.csv. Rows of failed cells are kept.

    Raises UserError, having written nothing, where the runs are a mixture that no table can hold, and says why.
    """
    manifests = {run: records.read_manifest(run) for run in runs}
    manifests = {run: m for run, m in manifests.items() if m and _matches(m, where or {})}
    if not manifests:
        raise UserError("collect: no runs" + (f" with {_words(where)}" if where else ""))
    for run, manifest in manifests.items():
        _require_mergeable(run, manifest)
    scales = sorted({str(manifest["config"].get("scale")) for manifest in manifests.values()})
    if len(scales) > 1:
        raise UserError(
            f"collect: {target} would mix runs of scale {' and '.join(scales)}, whose rows do not tell them apart; "
            f"pick one with --where scale={scales[0]}"
        )
    journals = {run: records.read_journal(run) for run in manifests}
    rows = [
        {"run_id": run.name, "task": manifests[run]["task"], **row}
        for run, entries in journals.items()
        for entry in entries.values()
        for row in entry["rows"]
    ]
    states = {run: _state(run, manifest, journals[run]) for run, manifest in manifests.items()}
    keys = dict.fromkeys(key for row in rows for key in row)
    fixed = [*FIRST_COLUMNS, *LAST_COLUMNS]
    columns = [*FIRST_COLUMNS, *(key for key in keys if key not in fixed), *LAST_COLUMNS]
    table = pd.DataFrame(rows, columns=columns).convert_dtypes()
    summary = pd.DataFrame([_run_row(run, manifest, states[run]) for run, manifest in manifests.items()])
    with files.writing(target):
        target.mkdir(parents=True, exist_ok=True)
        files.write_atomic(target / "records.csv", table.to_csv(index=False, lineterminator="\n"))
        files.write_atomic(target / "runs.csv", summary.to_csv(index=False, lineterminator="\n"))
    return f"{target / 'records.csv'}: {len(table)} rows of {len(manifests)} runs{_remarks(manifests.values(), states)}"


def _matches(manifest: Mapping, where: Mapping[str, str]) -> bool:
    return all(manifest.get("config", {}).get(key) == _value(text) for key, text in where.items())


def _value(text: str):
    """A value as the command line reads it: 1e-3 is 0.001, and null is none."""
    import yaml
    from omegaconf import OmegaConf

    try:
        return OmegaConf.from_dotlist([f"value={text}"]).value
    except yaml.YAMLError:
        return text


def _words(where: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in where.items())


def _require_mergeable(run: Path, manifest: Mapping) -> None:
    version = manifest.get("schema_version")
    if version != records.SCHEMA_VERSION:
        raise UserError(
            f"collect: {run} has schema version {version}, this program writes {records.SCHEMA_VERSION}; "
            "run it again (force=true) or move it away"
        )
    if manifest.get("run_id") != run.name:
        raise UserError(f"collect: {run} holds the run {manifest.get('run_id')}: a copy, or renamed; move it away")
    if records.run_id(manifest["config"]) != run.name:
        raise UserError(f"collect: {run / 'run.json'} was changed after the run: its configuration is another one's")


def _remarks(manifests: Collection[Mapping], states: Mapping[Path, str]) -> str:
    """What the reader of the table should know."""
    counts = Counter(states.values())
    remarks = [f"{counts[state]} {state}" for state in sorted({*counts} - {"done"})]
    if damaged := [str(run) for run, state in states.items() if state == _DAMAGED]:
        remarks.append(f"finished cells are missing in {', '.join(damaged)}: repeat the command of runs.csv")
    attempts = [attempt for manifest in manifests for attempt in [manifest, *manifest.get("earlier", [])]]
    versions = {json.dumps([attempt.get("spred_bench"), attempt.get("git")]) for attempt in attempts}
    if len(versions) > 1:
        remarks.append(f"made by {len(versions)} versions of the code, see runs.csv and run.json")
    return f" ({', '.join(remarks)})" if remarks else ""


def _state(run: Path, manifest: Mapping, journal: Mapping[str, Mapping]) -> str:
    """The status; a run that says it is running may have been killed, and one that says it is done be damaged."""
    if manifest["status"] == "running" and not locking.is_held(run / ".lock"):
        return "killed"
    counts = result.count(entry["status"] for entry in journal.values())
    ended = manifest["status"] in (result.DONE, result.FAILED)
    return _DAMAGED if ended and integrity.missing_cells(manifest, counts) else manifest["status"]


def _run_row(run: Path, manifest: Mapping, state: str) -> dict:
    config, environment = manifest["config"], manifest["environment"]
    counts = manifest.get("cells", {})
    return {
        "run_id": run.name,
        "task": manifest["task"],
        "status": state,
        **{key: config.get(key) for key in ("kappa", "seed", "scale", "device")},
        **{f"cells_{fate}": counts.get(fate) for fate in ("done", "failed", "skipped")},
        "start": manifest["start"],
        "end": manifest.get("end"),
        "spred_bench": manifest.get("spred_bench"),
        "git": json.dumps(manifest.get("git")),
        "cpu": environment.get("cpu"),
        "command": manifest["command"],
    }
