"""The pool: answers, deaths, output, places, and how many threads and which GPU a run gets."""

import os
import signal
import sys

import pytest

from spred_bench.running.sweeps import local_pool
from spred_bench.system import pool, thread_count


def answer(word: str):
    print("said", word, flush=True)
    if word == "exit":
        os._exit(7)
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "raise":
        raise RuntimeError("a bug")
    return os.environ.get(word)


def test_each_job_answers_or_dies_alone(tmp_path):
    words = ["PLACE", "exit", "kill", "raise", "HOME"]
    logs = [tmp_path / word / "log.txt" for word in words]
    places = [{"PLACE": "first"}, {"PLACE": "second"}]
    endings = pool.run_all(answer, words, 2, environments=places, logs=logs)
    assert endings[0].answer in ("first", "second") and endings[4].answer == os.environ["HOME"]
    assert [ending.exit_code for ending in endings] == [0, 7, -9, 1, 0]
    assert endings[1].reason == "its process ended with exit code 7"
    assert endings[2].reason == "its process was killed by SIGKILL (out of memory?)"
    assert [log.read_text().splitlines()[0] for log in logs] == [f"said {word}" for word in words]
    assert "RuntimeError: a bug" in logs[3].read_text()


def test_threads_are_shared_and_what_the_user_set_stays(monkeypatch):
    for name in thread_count.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    with local_pool.limited_threads(3):
        assert os.environ["OMP_NUM_THREADS"] == "3" and os.environ["MKL_NUM_THREADS"] == "5"
    assert "OMP_NUM_THREADS" not in os.environ and os.environ["MKL_NUM_THREADS"] == "5"


@pytest.mark.skipif(sys.platform != "linux", reason="the number of usable cores is set")
@pytest.mark.parametrize(
    ("given", "n_jobs", "threads"),
    [
        ((1, None), 1, 8),
        ((None, 1), 8, 1),
        ((None, None), 8, 1),
        ((4, None), 4, 2),
        ((3, None), 3, 2),
        ((16, None), 16, 1),
    ],
)
def test_n_jobs_and_threads_fill_the_cores(monkeypatch, given, n_jobs, threads):
    monkeypatch.setattr(local_pool.os, "sched_getaffinity", lambda pid: set(range(8)))
    launcher = local_pool.LocalPool(*given)
    assert (launcher._n_jobs, launcher._threads) == (n_jobs, threads)


def test_gpus_are_handed_out_from_those_visible(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert local_pool.visible_gpus(0) == [] and local_pool.visible_gpus(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,7")
    assert local_pool.visible_gpus(2) == ["3", "5"]
