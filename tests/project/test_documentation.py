"""Documentation that runs: every Python block of the README and the guides, and the files of docs/extending.md."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from paths import ROOT

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


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the package with every file that docs/extending.md shows."""
    root = tmp_path_factory.mktemp("extended")
    for folder in ("spred_bench", "configs"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    files = [text for language in ("python", "yaml") for text in blocks(EXTENDING, language)]
    for text in files:
        name, _, content = text.removeprefix("# ").partition("\n")
        assert not (root / name).exists() and (root / name).parent.is_dir(), f"{name} in docs/extending.md"
        (root / name).write_text(content)
    assert len(files) == 10
    return root


def run(extended: Path, folder: Path, command: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(extended)}
    words = [sys.executable, "-m", *command.replace("spred-bench", "spred_bench", 1).split()]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def test_files_of_the_guide_make_components_that_run(extended, tmp_path):
    told = ""
    for command in (line for text in blocks(EXTENDING, "sh") for line in text.splitlines()):
        result = run(extended, tmp_path, command)
        assert result.returncode == 0 and ("0 failed" in result.stdout or "claims" in command), command + result.stderr
        told += result.stdout
    assert list(tmp_path.glob("results/shrinkage/*/shrinkage.png"))
    assert re.search(r"holds +A weight whose least squares value", told)
    listed = run(extended, tmp_path, "spred-bench list").stdout
    assert all(title in listed for title in ("Projected gradient on positive", "Blocks of nearly", "Plain L1 on all"))
