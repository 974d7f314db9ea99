"""What may have happened to a run directory since it was written: edited, truncated, made by other code.

The journal is the truth: records.csv can be made from it again, a configuration cannot. So a table that does not fit is
kept aside and written anew, and a configuration that does not fit is an error, with nothing overwritten.
"""

import os
from collections.abc import Callable, Mapping

import yaml

from spred_bench.errors import UserError
from spred_bench.running import records
from spred_bench.running.records import RunDirectory
from spred_bench.system import files

_MENDING = "put it back, move the directory away, or start over with force=true"


def sound_manifest(directory: RunDirectory, report: Callable[[str], None]) -> dict:
    """run.json, {} where there is none. One that is damaged is kept beside as run.json.damaged: the cells are sound."""
    try:
        return directory.manifest()
    except UserError:
        path = directory.manifest_path
        with files.writing(path):
            os.replace(path, path.with_suffix(".json.damaged"))
        report(f"note: {path} was damaged; it is written anew, the old one is {path.name}.damaged")
        return {}


def require_same_run(plan, directory: RunDirectory) -> None:
    """UserError if what lies in `directory` describes another run than `plan`, or cells that `plan` does not have."""
    wanted = records.identity(plan.config)
    manifest = directory.manifest()
    if manifest:
        if manifest["schema_version"] != records.SCHEMA_VERSION:
            raise UserError(
                f"{directory.manifest_path}: schema version {manifest['schema_version']}, this program writes "
                f"{records.SCHEMA_VERSION}; move the directory away, or start over with force=true"
            )
        _require_equal(directory.manifest_path, manifest["config"], wanted)
    path = directory.path / "config.yaml"
    if path.exists():
        _require_equal(path, _read_yaml(path), wanted)
    strangers = sorted(directory.cells().keys() - {cell.id for cell in plan.cells})
    if strangers:
        raise UserError(
            f"{directory.journal}: holds cells that this version of the program does not compute ({strangers[0]}"
            f"{', ...' if len(strangers) > 1 else ''}); move the directory away, or start over with force=true"
        )


def missing_cells(manifest: Mapping, counts: Mapping[str, int]) -> int:
    """How many cells a manifest counts as done and the journal, by its `counts`, does not have."""
    return max(manifest.get("cells", {}).get("done", 0) - counts["done"], 0)


def say_what_is_missing(directory: RunDirectory, manifest: Mapping, report: Callable[[str], None]) -> None:
    """A note where the journal has lost cells that the manifest counts as done."""
    if missing := missing_cells(manifest, directory.counts()):
        done = manifest["cells"]["done"]
        report(f"note: {directory.journal}: {missing} of {done} finished cells are damaged or missing and run again")


def require_every_cell(plan, directory: RunDirectory) -> None:
    """UserError if a cell that has just been finished is not in the journal any more."""
    gone = [cell.id for cell in plan.cells if cell.id not in directory.cells()]
    if gone:
        raise UserError(
            f"{directory.journal}: {len(gone)} of {len(plan.cells)} cells are gone ({gone[0]}, ...): the directory was "
            "changed during the run; the same command runs them again"
        )


def restore_records(plan, directory: RunDirectory, manifest: Mapping, report: Callable[[str], None]) -> None:
    """Write records.csv anew where it is not what the journal says, and keep the other beside it."""
    path = directory.path / "records.csv"
    if manifest.get("status") != "done" or missing_cells(manifest, directory.counts()):
        return  # it will be written at the end in any case
    expected = directory.table(plan.task.key_columns)
    if path.is_file() and path.read_bytes() == expected.encode():
        return
    if path.exists() or path.is_symlink():
        with files.writing(path):
            os.replace(path, path.with_suffix(".csv.damaged"))
        report(
            f"note: {path} was truncated or edited; written anew from the journal, the old one is {path.name}.damaged"
        )
    else:
        report(f"note: {path} was missing; written anew from the journal")
    directory.write("records.csv", expected)


def differences(found: Mapping, wanted: Mapping, prefix: str = "") -> list[str]:
    """'key: a there, b here' for everything in which two configurations differ, innermost keys first named in full."""
    lines = []
    for key in dict.fromkeys([*wanted, *found]):
        there, here = found.get(key, "nothing"), wanted.get(key, "nothing")
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            lines += differences(there, here, f"{prefix}{key}.")
        elif there != here:
            lines.append(f"{prefix}{key} is {there} there, {here} in this run")
    return lines


def _require_equal(path, found, wanted) -> None:
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: is not a configuration; {_MENDING}")
    lines = differences(records.identity(found), wanted)
    if lines:
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise UserError(f"{path}: was changed after the run began: {lines[0]}{more}; {_MENDING}")


def _read_yaml(path):
    try:
        return yaml.load(files.read_regular(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"{path}: is not readable yaml; {_MENDING}") from None
