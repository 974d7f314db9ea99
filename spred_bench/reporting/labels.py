"""What readers call a component, and whose it is: declared in its yaml, so that nothing of it has to be loaded."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from spred_bench.components.contract import Declaration, declared
from spred_bench.system.files import config_dir

# Of components that are not in the yaml tree of the package: {(group, name): what a run that used them recorded}.
_elsewhere: dict[tuple[str, str], Declaration] = {}


def label(group: str, name: str) -> str:
    """'spred (Newton)' for the component `spred_newton` of the group `solver`.

    A component that declares none is called by its name, with spaces for underscores. What follows the name stays: the
    values of a grid ('[...]'), the run of a row (', run ...').
    """
    stem, rest = _parts(name)
    return (declaration(group, name).label or stem.replace("_", " ")) + rest


def is_ours(group: str, name: str) -> bool:
    """Whether the component is one of spred's; otherwise it is what spred is compared with."""
    return declaration(group, name).family == "ours"


def declaration(group: str, name: str) -> Declaration:
    """What a component declares, whatever follows its name; nothing for a name that is unknown here."""
    stem, _ = _parts(name)
    path = config_dir() / group / f"{stem}.yaml"
    return _read(group, stem, path) if path.exists() else _elsewhere.get((group, stem), Declaration())


def learn(config: Mapping) -> None:
    """Remember what the components of a run's configuration declare, for those that are not the package's own."""
    for group, entries in config.items():
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            if isinstance(entry, Mapping) and "_target_" in entry:
                _elsewhere[group, name] = declared(f"{group}.{name}", entry)


def learn_beside(records: Path) -> None:
    """The same of the runs whose rows are in a folder: the run's own, or the runs that were merged in it."""
    for path in [records / "config.yaml", *records.glob("*/config.yaml")]:
        if path.is_file():
            learn(yaml.safe_load(path.read_text()) or {})


@cache
def _read(group: str, name: str, path: Path) -> Declaration:
    return declared(f"{group}.{name}", yaml.safe_load(path.read_text()).get(name, {}))


def _parts(name: str) -> tuple[str, str]:
    stem = re.split(r"\[|, run ", name, maxsplit=1)[0]
    return stem, name[len(stem) :]
