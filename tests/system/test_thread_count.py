"""How many threads a run has."""

import os
import subprocess
import sys

import pytest

from spred_bench.system import thread_count

COUNTS = """
import numpy, scipy.linalg, torch
from threadpoolctl import threadpool_info
from spred_bench.system import thread_count
thread_count.use(1)
import sklearn.linear_model
print({library["num_threads"] for library in threadpool_info()}, torch.get_num_threads())
"""


@pytest.mark.parametrize(("given", "count"), [("3", 3), ("2,1", 2)])
def test_the_environment_says_how_many(monkeypatch, given, count):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert thread_count.default_count() == count


@pytest.mark.parametrize("given", ["", "0", "many"])
@pytest.mark.parametrize(
    ("idle", "count"), [([100, 100], 2), ([100, 10], 1), ([95, 52], 1), ([60, 95], 2), ([0, 0], 1)]
)
def test_else_the_cores_that_are_free(monkeypatch, given, idle, count):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(thread_count.time, "sleep", lambda seconds: None)
    ticks = iter([[(1000, 500)] * 2, [(1100, 500 + free) for free in idle]])
    monkeypatch.setattr(thread_count, "_ticks", lambda cores: next(ticks))
    assert thread_count.default_count() == count


def test_a_system_without_such_counts_gives_all_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    monkeypatch.setattr(thread_count, "Path", lambda path: (_ for _ in ()).throw(FileNotFoundError(path)))
    assert thread_count.default_count() >= 1


@pytest.mark.slow
def test_every_library_gets_them():
    environment = {name: value for name, value in os.environ.items() if name not in thread_count.VARIABLES}
    run = subprocess.run([sys.executable, "-c", COUNTS], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == "{1} 1\n"


@pytest.mark.slow
def test_rows_and_manifest_say_the_threads(cli, tmp_path):
    import json

    import pandas as pd

    code, _, _ = cli("task=landscape", "scale=smoke", "threads=1")
    assert code == 0
    (run,) = (tmp_path / "results" / "landscape").iterdir()
    assert (pd.read_csv(run / "records.csv")["threads"] == 1).all()
    assert json.loads((run / "run.json").read_text())["threads"] == 1
    _, out, _ = cli("task=landscape", "scale=smoke", "threads=2")
    assert "from an earlier run" in out, "the number of threads is not what is computed"


@pytest.mark.parametrize("words", ["threads=0", "threads=-1", "threads=two"])
def test_a_wrong_number_is_one_line(cli, words):
    code, _, err = cli("task=landscape", "scale=smoke", words)
    assert code == 2 and words in err and err.count("\n") == 1
