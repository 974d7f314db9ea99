"""Tables of many runs: again and again, in the middle of the work, and never of what does not belong together."""

import json
import re
import shutil
import threading

import pandas as pd
import pytest

import counting
from spred_bench.errors import UserError
from spred_bench.running.records import RunDirectory
from spred_bench.running.sweeps.collecting import collect
from spred_bench.system import locking, pool


@pytest.fixture
def two(tmp_path):
    """Two finished runs; their directories."""
    for seed in (0, 1):
        counting.run(tmp_path, seed)
    return [counting.plan(tmp_path, seed).path for seed in (0, 1)]


def change(run, **values):
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(manifest | values))


def test_runs_are_merged_again_and_again(tmp_path, two):
    tables = []
    for _ in range(2):
        assert collect(tmp_path) == [f"{tmp_path}/counting/records.csv: 30 rows of 2 runs"]
        tables.append((tmp_path / "counting" / "records.csv").read_bytes())
    assert tables[0] == tables[1]
    assert pd.read_csv(tmp_path / "counting" / "runs.csv")["cells_done"].tolist() == [5, 5]


def test_an_unfinished_run_gives_the_cells_it_has_and_its_state(tmp_path, two):
    change(two[0], status="running")
    journal = (two[0] / "cells.jsonl").read_bytes().splitlines(keepends=True)
    (two[0] / "cells.jsonl").write_bytes(b"".join(journal[:2]) + journal[2][:50])
    assert collect(tmp_path) == [f"{tmp_path}/counting/records.csv: 21 rows of 2 runs (1 killed)"]
    with locking.held(two[0] / ".lock"):
        assert "1 running" in collect(tmp_path)[0]


def test_runs_can_be_picked(tmp_path, two):
    (line,) = collect(tmp_path, ["counting"], {"seed": "1"}, tmp_path / "picked")
    assert "picked/records.csv: 15 rows of 1 runs" in line
    assert "15 rows" in collect(tmp_path, ["counting"], {"seed": "1e0"}, tmp_path / "picked")[0]
    for key, value in (("seed", "7"), ("seed", "null"), ("seed", "[")):
        with pytest.raises(UserError, match=rf"no runs in .* with {key}={re.escape(value)}"):
            collect(tmp_path, ["counting"], {key: value})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: change(run, schema_version=99), "schema version 99"),
        (lambda run: change(run, config={"seed": 5}), "was changed after the run"),
        (lambda run: shutil.copytree(run, run.with_name("copy")), "copy holds the run .*: a copy, or renamed"),
        (lambda run: (run / "run.json").write_text("{"), r"run\.json is not readable"),
    ],
)
def test_what_cannot_be_merged_is_refused(tmp_path, two, spoil, message):
    spoil(two[0])
    with pytest.raises(UserError, match=message):
        collect(tmp_path)
    assert not (tmp_path / "counting" / "records.csv").exists()


def test_scales_are_not_mixed_unless_one_is_picked(tmp_path, two):
    plan = counting.plan(tmp_path, 2)
    plan.config["scale"] = "paper"
    counting.runner.run(plan, "test", report=lambda line: None)
    with pytest.raises(UserError, match=r"mix runs of scale paper and smoke.*--where scale=paper"):
        collect(tmp_path)
    assert "15 rows of 1 runs" in collect(tmp_path, where={"scale": "paper"})[0]


def test_one_refused_task_does_not_keep_the_others(tmp_path, two):
    shutil.copytree(two[0], tmp_path / "another" / "copy")
    with pytest.raises(UserError, match=r"copy, or renamed.*; collected .*counting/records\.csv: 30 rows"):
        collect(tmp_path)
    assert (tmp_path / "counting" / "records.csv").exists()


@pytest.mark.slow
def test_collecting_beside_writers_never_fails(tmp_path):
    seeds = [(str(tmp_path), seed) for seed in range(12)]
    worker = threading.Thread(target=pool.run_all, args=(counting.run_slowly, seeds, 3))
    worker.start()
    sizes = []
    while worker.is_alive():
        if list(tmp_path.glob("*/*/run.json")):
            collect(tmp_path)
            sizes.append(len(pd.read_csv(tmp_path / "counting" / "records.csv")))
    worker.join()
    collect(tmp_path)
    assert sizes == sorted(sizes)
    assert len(pd.read_csv(tmp_path / "counting" / "records.csv")) == 12 * counting.N_CELLS * 3
    assert RunDirectory(counting.plan(tmp_path, 0).path, "counting").manifest()["status"] == "done"
