"""The targets of the Makefile that name a figure or a table."""

import shutil
import subprocess

import pytest

from paths import ROOT
from spred_bench.running import listing

FIGURES = {f"fig{number}": [f"fig{number}"] for number in (1, 3, 4, 5, 6, 7)}
TARGETS = {**FIGURES, "fig2": ["fig2_left", "fig2_right"], "table1": ["table1"], "table2": ["table2"]}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", TARGETS)
def test_every_figure_and_table_has_a_target(target):
    command = ["make", "--dry-run", "--always-make", "--assume-old=.venv/.installed", target, "ARGS=scale=smoke"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    started = [line.split("spred-bench ")[1] for line in run.stdout.splitlines() if "spred-bench experiment" in line]
    assert started == [f"experiment={name} scale=smoke" for name in TARGETS[target]]
    assert set(TARGETS[target]) <= set(listing.groups()["experiment"])
