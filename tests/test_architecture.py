"""Imports point down, heavy packages load late, files stay small."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "spred_bench"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the top: what a layer may import lies to the right of it.
LAYERS = (
    ("cli", "__main__"),
    ("verbs", "sweeping"),
    ("local_pool", "doctor", "preparing", "report"),
    ("closing", "composition"),
    ("jobs",),
    ("summary", "runner"),
    ("integrity",),
    ("plan",),
    ("tasks",),
    ("pruning",),
    ("protocols",),
    ("selectors", "feature_selection"),
    ("solvers", "methods", "learners", "stacked", "estimators"),
    ("isolation", "worker", "nodes", "classification", "equivalence", "warm_start"),
    ("export",),
    ("trainer", "monitor"),
    ("budget", "target_sparsity", "shrinking", "splits", "augmentation", "masks"),
    ("kappa_schedule",),
    ("data", "models", "callbacks", "checkpoint", "forward", "snapshot", "batches", "schedules", "optimizers"),
    ("plots", "collecting", "listing", "claims", "gene_tables"),
    (
        "components",
        "lasso",
        "lines",
        "learning_curves",
        "frontier",
        "second_order",
        "sparse_coding",
        "redundancy",
        "sparsity",
        "records",
        "timing",
        "device",
    ),
    ("distributed",),
    ("pool", "progress", "download", "locking", "stability", "intervals"),
    ("signals", "pool_server", "allocation", "threads"),
    ("errors", "__init__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def part(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "spred_bench":
            names = [node.module.split(".")[1]] if "." in node.module else [alias.name for alias in node.names]
            found |= {name for name in names if name in LEVEL or (PACKAGE / name).exists()}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = part(path)
    assert here in LEVEL, f"{here} is in no layer"
    upward = {name for name in imported_parts(path) - {here} if LEVEL.get(name, 99) < LEVEL[here]}
    assert not upward


def test_only_the_command_line_knows_hydra():
    users = {part(path) for path in FILES if "hydra" in path.read_text() and "import hydra" in path.read_text()}
    users |= {part(path) for path in FILES if "from hydra" in path.read_text()}
    assert users <= {"cli", "composition", "sweeping", "local_pool"}


@pytest.mark.parametrize("path", [*FILES, *Path(__file__).parent.glob("*.py")], ids=lambda path: path.stem)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 250


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
