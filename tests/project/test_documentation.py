"""Documentation that runs: every Python block of the README and the guides, and the files of docs/extending.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from paths import ROOT
from spred_bench.reporting import labels

GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXTENDING = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(path.read_text()) if kind == language]


def surroundings() -> dict:
    """What a reader brings along: a model, a training loop, data."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    y = X[:, :5].sum(1) + 0.1 * rng.standard_normal(60)
    images, labels = torch.randn(64, 20), torch.randint(0, 3, (64,))

    def train(model, optimizer):
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    model = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 3))
    return {"model": model, "train": train, "X": X, "y": y, "labels": (y > 0).astype(int)}


def runnable() -> list:
    found = [(path, text) for path in GUIDES if path != EXTENDING for text in blocks(path, "python")]
    return [pytest.param(text, id=f"{path.name}-{i}") for i, (path, text) in enumerate(found)]


@pytest.mark.parametrize("text", runnable())
def test_examples_run(text):
    torch.manual_seed(0)
    names = surroundings()
    exec(compile(text, "example", "exec"), names)
    if "merge(model" in text:
        assert {name for name, _ in names["model"].named_parameters()} == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_ten_lines_put_spred_into_a_model():
    (example,) = (text for text in blocks(ROOT / "README.md", "python") if "reparametrize(model)" in text)
    assert len(example.strip().splitlines()) <= 10


def files(*folders: str) -> dict[str, str]:
    """{path: content} of the files that docs/extending.md shows below `folders`."""
    shown = [text for language in ("python", "yaml") for text in blocks(EXTENDING, language) if text.startswith("# ")]
    named = dict(text.removeprefix("# ").split("\n", 1) for text in shown)
    return {name: content for name, content in named.items() if name.split("/")[0] in folders}


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the package with every file of it that docs/extending.md shows."""
    root = tmp_path_factory.mktemp("extended")
    for folder in ("spred_bench", "configs"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    added = files("spred_bench", "configs")
    for name, content in added.items():
        assert not (root / name).exists() and (root / name).parent.is_dir(), f"{name} in docs/extending.md"
        (root / name).write_text(content)
    assert len(added) == 21
    return root


def run(extended: Path, folder: Path, command: str) -> subprocess.CompletedProcess:
    return python(extended, folder, "-m", *command.replace("spred-bench", "spred_bench", 1).split())


def python(extended: Path, folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Python with these arguments, or with a script as the only one, on the extended copy of the package."""
    environment = {**os.environ, "PYTHONPATH": str(extended)}
    arguments = words if len(words) > 1 else ("-c", *words)
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def expression_files(folder: Path) -> None:
    """A .gct and a .cls file of 24 samples in two classes, as the guide's reader takes them."""
    rng, labels = np.random.default_rng(0), np.arange(24) % 2
    lines = [["Name", "Description", *(f"s{i}" for i in range(24))]]
    for j in range(30):
        lines.append([f"g{j}", "gene", *(f"{value:.4f}" for value in rng.standard_normal(24) + 2 * labels * (j < 3))])
    text = "\n".join("\t".join(line) for line in lines)
    (folder / "two_classes.gct").write_text(f"#1.2\n30\t24\n{text}\n")
    (folder / "two_classes.cls").write_text(f"24 2 1\n# a b\n{' '.join('ab'[label] for label in labels)}\n")


@pytest.fixture(scope="module")
def told(extended, tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder in which every command of the guide ran, and what each printed."""
    folder = tmp_path_factory.mktemp("commands")
    expression_files(folder)
    own = files("my_methods.py", "mine")
    assert len(own) == 2
    for name, content in own.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    printed = {}
    for command in (line for text in blocks(EXTENDING, "sh") for line in text.splitlines()):
        result = run(extended, folder, command)
        assert result.returncode == 0 and ("0 failed" in result.stdout or "claims" in command), command + result.stderr
        printed[command] = result.stdout
    return folder, printed


@pytest.mark.slow
def test_files_of_the_guide_make_components_that_run(extended, told):
    folder, printed = told
    assert list(folder.glob("results/shrinkage/*/shrinkage.png"))
    assert re.search(r"holds +A weight whose least squares value", "".join(printed.values()))
    listed = run(extended, folder, "spred-bench list").stdout.split()
    assert {Path(name).stem for name in files("configs")} <= set(listed)


@pytest.mark.slow
def test_two_files_from_outside_run_in_both_tasks(told):
    folder, _ = told
    rows = {}
    for task in ("pruning", "node_sparsity"):
        table = pd.concat(pd.read_csv(path, low_memory=False) for path in folder.glob(f"results/{task}/*/records.csv"))
        rows[task] = table[table["method"] == "elastic"].dropna(subset="kappa")
    assert set(rows["pruning"]["kappa"]) == {3e-4, 3e-3}  # those that the class declares
    assert rows["node_sparsity"]["kappa"].nunique() == 2
    for table in rows.values():
        labels.learn_beside(folder / "results" / table["task"].iloc[0])
    assert labels.label("method", "elastic") == "L1 and decay"


@pytest.mark.slow
def test_examples_of_the_guide_run_with_its_files(extended, tmp_path):
    scripts = [text for text in blocks(EXTENDING, "python") if not text.startswith("# ")]
    assert scripts
    for script in scripts:
        result = python(extended, tmp_path, script)
        assert result.returncode == 0, script + result.stderr
