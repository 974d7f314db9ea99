"""What is complete is decided by the journal: a sweep repeats what is damaged, and collect says it."""

import json
import shutil

import pandas as pd
import pytest

import counting
from spred_bench.errors import UserError
from spred_bench.running import runner
from spred_bench.running.sweeps.collecting import collect

SWEEP = ("-m", "task=landscape", "scale=smoke", "device=cpu", "kappa=0.1,0.2,0.3,0.4")


@pytest.mark.slow
def test_a_sweep_runs_again_what_its_journals_have_lost(cli, tmp_path):
    assert cli(*SWEEP)[0] == 0 and cli("collect")[0] == 0
    whole = (tmp_path / "results/landscape/records.csv").read_bytes()
    journals = sorted(tmp_path.glob("results/landscape/*/cells.jsonl"))
    content = bytearray(journals[0].read_bytes())
    content[len(content) // 8] ^= 1
    journals[0].write_bytes(content)
    journals[1].write_bytes(b"")
    journals[2].unlink()
    code, out, _ = cli("collect")
    assert "3 damaged, finished cells are missing in results/landscape/" in out and str(journals[2].parent.name) in out
    assert set(pd.read_csv(tmp_path / "results/landscape/runs.csv")["status"]) == {"damaged", "done"}
    code, out, _ = cli(*SWEEP)
    assert code == 0 and "4 done (1 by an earlier command)" in out
    log = (journals[1].parent / "log.txt").read_text()
    assert "4 of 4 finished cells are damaged or missing and run again" in log
    cli("collect")
    assert (tmp_path / "results/landscape/records.csv").read_bytes() == whole


@pytest.mark.parametrize("remove", [lambda path: shutil.rmtree(path), lambda path: path.rename(path.with_name("away"))])
def test_a_folder_that_goes_during_its_run_is_said(tmp_path, remove):
    class Removing(counting.Task):
        def run(self, cell):
            if cell.keys["part"] == 2:
                remove(counting.plan(tmp_path, 0).path)
                counting.plan(tmp_path, 0).path.mkdir()
            return super().run(cell)

    with pytest.raises(UserError, match=r"2 of 5 cells are gone .*the same command runs them again"):
        runner.run(counting.plan(tmp_path, 0, Removing(0)), "test", report=lambda line: None)
    assert counting.run(tmp_path, 0).startswith("5 done (3 from an earlier run)")


def test_a_journal_of_another_run_is_refused(tmp_path):
    for seed in (0, 1):
        counting.run(tmp_path, seed)
    one, other = (counting.plan(tmp_path, seed).path for seed in (0, 1))
    right = (one / "records.csv").read_bytes()
    shutil.copy(other / "cells.jsonl", one / "cells.jsonl")
    for refused in (lambda: counting.run(tmp_path, 0), lambda: collect(tmp_path)):
        with pytest.raises(UserError, match=rf"holds cells of the run {other.name}, not of this one"):
            refused()
    assert (one / "records.csv").read_bytes() == right and not (one / "records.csv.damaged").exists()


def test_a_journal_without_run_ids_is_read(tmp_path):
    counting.run(tmp_path, 0)
    path = counting.plan(tmp_path, 0).path / "cells.jsonl"
    path.write_text("".join(_older(line) for line in path.read_text().splitlines()))
    assert counting.run(tmp_path, 0).startswith("5 done (5 from an earlier run)")


def _older(line: str) -> str:
    import zlib

    entry = json.loads(line.partition(" ")[2])
    del entry["run"]
    body = json.dumps(entry)
    return f"{zlib.crc32(body.encode()):08x} {body}\n"


def test_cells_without_a_solution_are_counted(tmp_path):
    class Diverging(counting.Task):
        def run(self, cell):
            part = cell.keys["part"]
            yield {"metric": "value", "value": 1.0, "status": ("done", "diverged", "timeout", "diverged", "done")[part]}

    result = runner.run(counting.plan(tmp_path, 0, Diverging(0)), "test", report=lambda line: None)
    assert str(result) == "5 done, 0 failed, 0 skipped; of those done 2 diverged, 1 timed out"
