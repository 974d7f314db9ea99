"""Run a plan: every cell once, each finished one on disk before the next begins."""

import contextlib
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from spred_bench import __version__
from spred_bench.errors import CheckpointMismatch, Skip, UserError
from spred_bench.reporting.rows import FINAL, Cell
from spred_bench.running import integrity, records
from spred_bench.running.plan import Plan
from spred_bench.running.progress import show as _progress
from spred_bench.running.records import RunDirectory
from spred_bench.running.result import DONE, FAILED, INTERRUPTED, RunResult, count
from spred_bench.system import allocation, distributed, machine, signals, thread_count
from spred_bench.system.files import PACKAGE

# What the manifest keeps of the attempts before the last one.
_ATTEMPT = ("status", "command", "spred_bench", "git", "start", "end")


def run_cell(task, cell: Cell, n_threads: int | None = None) -> dict:
    """One cell to its journal entry. Exceptions of the task become an entry too, with the traceback."""
    start = time.perf_counter()
    note, trace = "", None
    try:
        rows = [dict(row) for row in task.run(cell)]
        # A search may hold rows that diverged and yet end well: the last row speaks for the cell.
        status = rows[-1].get("status", "done") if rows else "done"
    except Skip as reason:
        rows, status, note = [], "skipped", str(reason)
    except UserError as error:
        rows, status, note = [], "failed", str(error)
    except CheckpointMismatch as error:
        rows, status, note = [], "failed", f"{error}; start over with force=true"
    except Exception as error:
        rows, status, note = [], "failed", f"{type(error).__name__}: {error}".splitlines()[0]
        trace = traceback.format_exc()
    if not rows:
        rows = [{"metric": "", "value": None, "status": status, "note": note}]
    rows = [{**cell.columns(), "status": "done", "threads": n_threads, **row} for row in rows]
    entry = {
        "cell": cell.id,
        "status": status,
        "seconds": round(time.perf_counter() - start, 6),
        "rows": rows,
    }
    return {**entry, "note": note, **({"traceback": trace} if trace else {})}


def run(plan: Plan, command: str, report: Callable[[str], None] = print, launch: str = "") -> RunResult:
    """Run the cells of `plan` that its directory does not have yet; write records.csv and the manifest.

    `launch` names the command that starts the run: one that is started again by its scheduler keeps what it has done
    so far, also with force=true. Raises UserError where the directory cannot be used. An interruption
    (signals.Interrupted) passes through, with the manifest saying so; finished cells are kept.
    """
    allocation.keep_freed_memory()
    _require_distinct(plan.cells)
    distributed.join(plan.settings.device)
    if not distributed.leads():
        return _follow(plan)
    with records.open_run(plan.settings.results_dir, plan.name, plan.run_id) as directory:
        previous = integrity.sound_manifest(directory, report)
        if plan.settings.force and not (launch and previous.get("launch") == launch):
            directory.clear()
            previous = {}
        else:
            integrity.require_same_run(plan, directory)
        finished = {key for key, entry in directory.cells().items() if entry["status"] in FINAL}
        todo = [(index, cell) for index, cell in enumerate(plan.cells) if cell.id not in finished]
        distributed.from_first([index for index, _ in todo])
        integrity.say_what_is_missing(directory, previous, report)
        integrity.restore_records(plan, directory, previous, report)
        if finished:
            _warn_if_other_code(previous, report)
        result = RunResult(directory.path, DONE, reused=len(finished))
        if not todo and previous.get("status") == "done":
            result.cells = directory.counts()
            return result
        # A run continues with the threads it began with: sums in another order have other last digits.
        n_threads = plan.settings.threads or previous.get("threads") or thread_count.default_count()
        thread_count.use(n_threads)
        manifest = _begin(plan, directory, command, launch, previous, n_threads)
        try:
            _run_cells(plan, directory, todo, report, n_threads)
            integrity.require_every_cell(plan, directory)
        except BaseException as interruption:
            # Where the disk is full this cannot be written either; the reason to stop is what the user needs.
            with contextlib.suppress(UserError):
                _end(plan, directory, manifest, INTERRUPTED, traceback=repr(interruption))
            raise
        finally:
            plan.task.close()
        result.cells = directory.counts()
        result.state = FAILED if result.cells["failed"] else DONE
        _end(plan, directory, manifest, result.state)
        if result.state == DONE:
            shutil.rmtree(directory.path / "checkpoints", ignore_errors=True)  # what cells share and the last one left
    return result


def _require_distinct(cells: list[Cell]) -> None:
    seen = set()
    for cell in cells:
        if cell.id in seen:
            raise UserError(f"the configuration asks twice for the same cell: {cell.id}")
        seen.add(cell.id)


def _run_cells(plan, directory, todo, report, n_threads: int) -> None:
    with _progress(todo, report) as bar:
        for number, (index, cell) in enumerate(todo, 1):
            signals.check()
            bar.begin(cell.id)
            plan.task.scratch, plan.task.run_folder = directory.scratch(cell), directory.path
            entry = {"index": index, **run_cell(plan.task, cell, n_threads)}
            directory.append(entry)
            if entry["status"] != "failed":
                directory.discard_scratch(cell)
            reason = f": {entry['note']}" if entry["note"] else ""
            line = f"[{number}/{len(todo)}] {cell.id} {entry['status']} {entry['seconds']:.2f} s{reason}"
            bar.end(line, important=bool(reason))


def _follow(plan: Plan) -> RunResult:
    """Compute the cells that the first process does, with it, and write nothing."""
    directory = RunDirectory(plan.path, plan.name)
    statuses = []
    for index in distributed.from_first(None):
        plan.task.scratch = directory.scratch(plan.cells[index])
        statuses.append(run_cell(plan.task, plan.cells[index])["status"])
    cells = count(statuses)
    return RunResult(directory.path, FAILED if cells["failed"] else DONE, cells=cells)


def _begin(plan: Plan, directory: RunDirectory, command: str, launch: str, previous: Mapping, n_threads: int) -> dict:
    import yaml

    manifest = {
        "schema_version": records.SCHEMA_VERSION,
        "task": plan.name,
        "run_id": plan.run_id,
        "status": "running",
        "command": command,
        "launch": launch,
        "threads": n_threads,
        "config": dict(plan.config),
        "spred_bench": __version__,
        "git": machine.git_state(PACKAGE),
        "environment": machine.environment(),
        "data": plan.task.provenance(),
        "start": _now(),
        # Finished cells are kept: what made them is not forgotten.
        "earlier": [*previous.get("earlier", []), {key: previous.get(key) for key in _ATTEMPT}] if previous else [],
    }
    directory.write("config.yaml", yaml.safe_dump(dict(plan.config), sort_keys=False))
    directory.write_manifest(manifest)
    return manifest


def _end(plan, directory, manifest: Mapping, status: str, **extra) -> None:
    directory.write_records(plan.task.key_columns)
    entries = directory.cells().values()
    traces = {entry["cell"]: entry["traceback"] for entry in entries if "traceback" in entry}
    finished = {"status": status, "end": _now(), "cells": directory.counts(), "tracebacks": traces, **extra}
    directory.write_manifest({**manifest, **finished})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _warn_if_other_code(manifest: Mapping, report) -> None:
    now = machine.git_state(PACKAGE)
    if manifest.get("spred_bench") != __version__ or (now and manifest.get("git") not in (None, now)):
        report("note: these rows were made by another version of the code; force=true makes them again")
