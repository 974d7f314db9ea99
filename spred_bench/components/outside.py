"""Modules outside the package whose classes a configuration may name, because the command line allowed them.

`allow=[my_solvers]` names a module. It is looked for in the folder of `--config-dir`, in the current directory, and
among the installed packages. Child processes are told what was found, and where.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from spred_bench.errors import UserError

_folders: dict[str, str] = {}  # of each allowed module; "" where it is an installed one


class _Finder:
    """Imports the allowed modules from their folders, and nothing else from there."""

    @staticmethod
    def find_spec(name: str, path=None, target=None):
        """See importlib."""
        folder = next((folder for module, folder in _folders.items() if module.partition(".")[0] == name), "")
        return PathFinder.find_spec(name, [folder]) if folder else None


def locate(names: Iterable[str], folders: Sequence[Path]) -> list[list[str]]:
    """[module, folder] of each name, the folder "" where the module is installed. UserError for one that is nowhere."""
    found = []
    for name in names:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", str(name)):
            raise UserError(f"allow=[{name}]: expected the name of a module, such as my_solvers")
        top = name.partition(".")[0]
        folder = next((str(folder) for folder in folders if PathFinder.find_spec(top, [str(folder)])), "")
        if not folder and find_spec(top) is None:
            places = " nor in ".join(str(folder) for folder in folders)
            raise UserError(f"allow=[{name}]: there is no module {top} in {places}, and none is installed")
        found.append([name, folder])
    return found


def permit(modules: Iterable[Sequence[str]]) -> None:
    """Allow these modules, as `locate` gives them, and no others."""
    _folders.clear()
    _folders.update(modules)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


def permitted() -> list[tuple[str, str]]:
    """The modules that are allowed now, for a child process to permit."""
    return list(_folders.items())


def is_permitted(module: str) -> bool:
    """Whether a class of `module` may be named."""
    return any(module == name or module.startswith(f"{name}.") for name in _folders)
