"""Imports point down, heavy packages load late, files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from paths import ROOT

PACKAGE = ROOT / "spred_bench"
FILES = sorted(PACKAGE.rglob("*.py"))

# Two rings, six floors, from the top. A module imports what stands to its right on its floor, or on a floor below.
BENCH = (
    ("__main__", "cli", "commands"),
    ("running.sweeps", "running"),
    ("components.tasks", "components.protocols", "components.selectors", "experiments", "components"),
    ("reporting", "components.contract", "components.outside"),
)
LIBRARY = (
    ("estimators", "networks", "training", "sparse_coding", "lasso"),
    ("redundancy", "system", "errors", "__init__"),
)
ORDER = {name: height for height, name in enumerate(name for floor in BENCH + LIBRARY for name in floor)}
IN_LIBRARY = {name for floor in LIBRARY for name in floor}
# What only the bench may load, and what of that only its upper floors.
NOT_FOR_THE_LIBRARY = {"hydra", "omegaconf", "pydantic", "GEOparse", "jinja2", "matplotlib"}


def room(module: str) -> str:
    """The entry of a floor that holds `module` (dotted, without the package): the longest that it begins with."""
    parts = module.split(".")
    return next((name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in ORDER), "")


def module_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" and len(relative.parts) > 1 else relative.parts
    return ".".join(parts)


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it; of this package's own without its name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_rooms(path: Path) -> set[str]:
    own = {name.removeprefix("spred_bench.") for name in imports(path) if name.startswith("spred_bench.")}
    return {room(name) or "__init__" for name in own}


# The package's own __init__ names what it loads late, for type checkers: tests/project/test_standalone.py looks at it.
@pytest.mark.parametrize("path", [path for path in FILES if path != PACKAGE / "__init__.py"], ids=module_of)
def test_imports_point_down(path):
    here = room(module_of(path))
    assert here, f"{path} is on no floor"
    upward = {name for name in imported_rooms(path) - {here} if ORDER[name] < ORDER[here]}
    assert not upward


def test_the_first_level_reads_as_library_components_bench():
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed", "configs"}
    assert len(entries) <= 16
    assert {Path(name).stem for name in entries} == {name.split(".")[0] for name in ORDER}


@pytest.mark.parametrize("path", [path for path in FILES if room(module_of(path)) in IN_LIBRARY], ids=module_of)
def test_the_library_imports_nothing_of_the_bench(path):
    assert not {name.split(".")[0] for name in imports(path)} & NOT_FOR_THE_LIBRARY


def test_only_the_command_line_knows_hydra():
    users = {module_of(path) for path in FILES if any(name.split(".")[0] == "hydra" for name in imports(path))}
    assert {name.split(".")[0] for name in users} <= {"cli", "running"}


@pytest.mark.parametrize("path", [*FILES, *(ROOT / "tests").rglob("*.py")], ids=lambda path: path.stem)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_names_of_tests_are_short(path):
    named = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in named if node.name.startswith("test_") and len(node.name) > 60] == []


@pytest.mark.parametrize("words", [["--help"], ["list"], ["--cfg", "job"], ["--version"]], ids=" ".join)
def test_questions_are_answered_without_loading_torch(words, tmp_path):
    script = (
        "import sys, spred_bench.cli as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit as leaving: code = leaving.code\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    run = subprocess.run([sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout) > 20
    assert list(tmp_path.iterdir()) == []
