"""What may have happened to a run directory since it was written: edited, truncated, made by other code.

The journal is the truth: records.csv can be made from it again, a configuration cannot. So a table that does not fit is
kept aside and written anew, and a configuration that does not fit is an error, with nothing overwritten.
"""

import os
from collections.abc import Callable, Iterable, Mapping

import yaml

from spred_bench.errors import UserError
from spred_bench.running import records
from spred_bench.running.records import RunDirectory
from spred_bench.system import files

_MENDING = "put it back, move the directory away, or start over with force=true"


def require_same_run(plan, directory: RunDirectory, cells: Iterable[str]) -> None:
    """UserError if what lies in `directory` describes another run than `plan`, or cells that `plan` does not have."""
    wanted = records.identity(plan.config)
    manifest = directory.manifest()
    if manifest:
        if manifest.get("schema_version") != records.SCHEMA_VERSION:
            raise UserError(
                f"{directory.manifest_path}: schema version {manifest.get('schema_version')}, this program writes "
                f"{records.SCHEMA_VERSION}; move the directory away, or start over with force=true"
            )
        _require_equal(directory.manifest_path, manifest.get("config") or {}, wanted)
    path = directory.path / "config.yaml"
    if path.exists():
        _require_equal(path, _read_yaml(path), wanted)
    strangers = sorted(directory.cells().keys() - set(cells))
    if strangers:
        raise UserError(
            f"{directory.journal}: holds cells that this version of the program does not compute ({strangers[0]}"
            f"{', ...' if len(strangers) > 1 else ''}); move the directory away, or start over with force=true"
        )


def restore_records(plan, directory: RunDirectory, report: Callable[[str], None]) -> None:
    """Write records.csv anew where it is not what the journal says, and keep the other beside it."""
    path = directory.path / "records.csv"
    if directory.manifest().get("status") != "done":
        return  # it will be written at the end in any case
    expected = directory.table(plan.task.key_columns)
    if path.exists() and path.read_bytes() == expected.encode():
        return
    if path.exists():
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
        return yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"{path}: is not readable yaml; {_MENDING}") from None
