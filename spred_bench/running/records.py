"""Run directories: cells, rows, manifest, and how they survive a kill.

    <results>/<task>/<run_id>/
        cells.jsonl    the journal: one line per finished cell, with all its rows; the only file that grows
        records.csv    the journal as a tidy table, one measurement a row; rewritten whole
        run.json       manifest: command, configuration, versions, hardware, status
        config.yaml    the resolved configuration

A cell (one solver on one problem, one method at one kappa and seed) is the unit of resuming, failing and timing. Its
rows appear together or not at all, because they are one line of the journal, written by one call and checked by its
length and a checksum when read: a line cut by a kill is ignored and its cell runs again. The checksum covers the id of
the run, so that a journal copied from another run is recognised; older journals have no ids and are read all the same.
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from spred_bench.components.contract import DECLARATIONS
from spred_bench.errors import Busy, UserError
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS, Cell
from spred_bench.running.result import count
from spred_bench.system import locking
from spred_bench.system.files import read_regular, regular, write_atomic, writing

SCHEMA_VERSION = 1
# These say where a run lives and how it is run, not what it computes.
NOT_IDENTITY = ("results_dir", "data_dir", "force", "allow", "threads")
# Without these a manifest says nothing of its run.
_MANIFEST_KEYS = ("schema_version", "task", "run_id", "status", "command", "config", "environment", "start")


def identity(config: Mapping) -> dict:
    """The part of a resolved configuration that says what is computed, as JSON would give it back."""
    computing = {key: _without_declarations(value) for key, value in config.items() if key not in NOT_IDENTITY}
    return _with_first_names(json.loads(json.dumps(computing)))


def _without_declarations(value):
    """A part of a configuration without what its components say to readers."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_declarations(part) for key, part in value.items() if key not in DECLARATIONS}


def run_id(config: Mapping) -> str:
    """Ten hexadecimal digits of the identity of a configuration: equal ones share a directory."""
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:10]


def _with_first_names(value):
    """A configuration whose components have the names they were first published under, so that a moved file is the
    same run: `spred_bench.components.solvers.cd.Solver` was once without `components`."""
    if isinstance(value, list):
        return [_with_first_names(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    named = {key: _with_first_names(part) for key, part in value.items()}
    if isinstance(named.get("_target_"), str):
        named["_target_"] = re.sub(r"^spred_bench\.components\.", "spred_bench.", named["_target_"])
    return named


class RunDirectory:
    """One run's files. Use `open_run` to get one that nobody else is writing."""

    def __init__(self, path: Path, task: str):
        self.path, self.task, self.run_id = path, task, path.name
        self.journal = path / "cells.jsonl"
        self.manifest_path = path / "run.json"

    def manifest(self) -> dict:
        """What run.json holds; empty where there is none yet."""
        return read_manifest(self.path)

    def write_manifest(self, manifest: Mapping) -> None:
        """Replace run.json."""
        self.write("run.json", json.dumps(manifest, indent=2) + "\n")

    def write(self, name: str, text: str) -> None:
        """Replace a file of the run. UserError where the disk refuses."""
        with writing(self.path / name):
            write_atomic(self.path / name, text)

    def append(self, entry: Mapping) -> None:
        """Add one finished cell to the journal, on disk when this returns."""
        body = json.dumps({"run": self.run_id, **entry})
        line = f"{zlib.crc32(body.encode()):08x} {body}\n".encode()
        with writing(self.journal), open(self.journal, "ab", opener=regular) as file:
            if file.tell() and not _ends_with_newline(self.journal):
                file.write(b"\n")  # the last writer was killed inside its line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def cells(self) -> dict[str, dict]:
        """The journal: {cell id: its last whole entry}, in the order of the plan."""
        return read_journal(self.path)

    def counts(self) -> Counter:
        """The journal's cells by status; see `result.count`."""
        return count(entry["status"] for entry in self.cells().values())

    def clear(self) -> None:
        """Forget every finished cell (`force=true`)."""
        with writing(self.path):
            for stale in (self.journal, self.path / "records.csv"):
                stale.unlink(missing_ok=True)
            shutil.rmtree(self.path / "checkpoints", ignore_errors=True)

    def scratch(self, cell: Cell) -> Path:
        """A folder of the cell's own, not made yet, for its checkpoints."""
        return self.path / "checkpoints" / hashlib.sha256(cell.id.encode()).hexdigest()[:16]

    def discard_scratch(self, cell: Cell) -> None:
        """Remove that folder, and the one around it with the last of them."""
        folder = self.scratch(cell)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()

    def table(self, key_columns: Iterable[str]) -> str:
        """The journal as the text of records.csv."""
        columns = [*FIRST_COLUMNS, *key_columns, *LAST_COLUMNS]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        for entry in self.cells().values():
            for row in entry["rows"]:
                writer.writerow({"run_id": self.run_id, "task": self.task, **row})
        return buffer.getvalue()

    def write_records(self, key_columns: Iterable[str]) -> Path:
        """records.csv from the journal."""
        self.write("records.csv", self.table(key_columns))
        return self.path / "records.csv"


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_journal(run: Path) -> dict[str, dict]:
    """Whole entries of a run's journal, the last one of each cell, in the order of the plan; {} where there is none.

    Broken lines are passed over. Raises UserError for lines of another run, and where the file cannot be read.
    """
    entries: dict[str, dict] = {}
    path = run / "cells.jsonl"
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return entries
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); move it away and run the same command") from None
    for line in content.split(b"\n"):
        checksum, _, body = line.partition(b" ")
        if checksum == b"%08x" % zlib.crc32(body) and body:
            entry = json.loads(body)
            if entry.setdefault("run", run.name) != run.name:
                raise UserError(
                    f"{path}: holds cells of the run {entry['run']}, not of this one; put the right file back, move it "
                    "away, or start over with force=true"
                )
            entries[entry["cell"]] = entry
    # A cell that ran late (it had failed, or its line was cut) takes its place all the same.
    return dict(sorted(entries.items(), key=lambda item: item[1].get("index", 0)))


def read_manifest(run: Path) -> dict:
    """run.json of a run directory, {} where there is none; UserError where it is unreadable."""
    path = run / "run.json"
    remedy = "the same command writes it anew and keeps the finished cells"
    try:
        manifest = json.loads(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not readable ({error}); {remedy}") from None
    known = manifest if isinstance(manifest, Mapping) else {}
    missing = [key for key in _MANIFEST_KEYS if key not in known]
    if missing or not isinstance(known["config"], Mapping) or not isinstance(known["environment"], Mapping):
        raise UserError(f"{path} is not a run's manifest (key {', '.join(missing) or 'config'}); {remedy}")
    return manifest


@contextmanager
def open_run(results: Path, task: str, identity: str):
    """The run directory `results/task/identity`, locked: a second process of the same configuration is refused.

    Yields a RunDirectory. Raises UserError where the directory cannot be written, Busy where another process has it.
    """
    path = results / task / identity
    with ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locking.held(path / ".lock"))
        except Busy as error:
            raise Busy(f"{path}: {error}") from None
        except OSError as error:
            raise UserError(f"results_dir={results}: cannot write there ({error.strerror}: {error.filename})") from None
        yield RunDirectory(path, task)


def check_writable(results: Path) -> None:
    """UserError unless `results` (or, where it does not exist, the folder it would be made in) can be written."""
    existing = results.absolute()
    try:
        while not existing.exists():
            existing = existing.parent
    except OSError as error:  # a name too long for the file system, a folder that may not be entered
        raise UserError(f"results_dir={results}: cannot write there ({error.strerror})") from None
    if not existing.is_dir():
        raise UserError(f"results_dir={results}: {existing} is a file, not a folder")
    # Only creating a file tells: permission bits do not bind root, and a file system may be read-only.
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise UserError(f"results_dir={results}: cannot write in {existing} ({error.strerror})") from None
