"""Sweeps as a user starts them, in real processes: crashes, signals, requeueing, two at once, every launcher."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

CRASH = """
import os, time, numpy
real = numpy.linspace
def linspace(*bounds, **options):
    if len(bounds) == 3 and bounds[1] == 2.0:  # as the task calls it
        if bounds[2] == 13 and not os.path.exists("mended"): os._exit(137)
        time.sleep(float(os.environ.get("SLOWLY", "0")))
    return real(*bounds, **options)
numpy.linspace = linspace
"""
SWEEP = ["task=landscape", "scale=smoke", "device=cpu", "task.n_points=11,13,15"]
LAUNCHERS = {
    "local_pool": ["launcher=local_pool", "hydra.launcher.n_jobs=2"],
    "one_by_one": ["-m"],
    "joblib": ["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["launcher=submitit_local"],
}


@pytest.fixture
def start(tmp_path):
    """Start the command line in `tmp_path`, where a grid of 13 points kills its process until `mended` is there."""
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    processes = []

    def run(*words, slowly=0.0):
        environment = {**os.environ, "PYTHONPATH": path, "SLOWLY": str(slowly)}
        options = {"cwd": tmp_path, "env": environment, "text": True}
        command = [sys.executable, "-m", "spred_bench", *words]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for(condition, process):
    deadline = time.monotonic() + 200
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def manifests(folder):
    return {path.parent: json.loads(path.read_text()) for path in folder.glob("results/*/*/run.json")}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_hard_crash_ends_one_run_and_the_sweep_continues(name, start, tmp_path):
    code, out, err = finish(start(*LAUNCHERS[name], *SWEEP))
    assert code == 1, out + err
    assert "3 runs: 2 done, 0 failed, 1 crashed" in out
    assert "task.n_points=13" in out and "results/landscape/" in out
    done = {path for path, manifest in manifests(tmp_path).items() if manifest["status"] == "done"}
    before = {path: (path / "run.json").read_bytes() for path in done}
    (tmp_path / "mended").touch()
    code, out, err = finish(start(*LAUNCHERS[name], *SWEEP))
    assert code == 0, out + err
    assert "3 runs: 3 done (2 by an earlier command), 0 failed" in out
    assert {path: (path / "run.json").read_bytes() for path in done} == before
    assert not list((tmp_path / "results" / ".sweep").glob("*.jsonl"))


@pytest.mark.slow
def test_sigterm_to_the_sweep_reaches_its_runs(start, tmp_path):
    sweep = ["launcher=local_pool", "hydra.launcher.n_jobs=2", *SWEEP[:-1], "kappa=0.1,0.2,0.3"]
    process = start(*sweep, slowly=0.3)
    wait_for(lambda: list(tmp_path.glob("results/*/*/cells.jsonl")), process)
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert code == 143, out + err
    assert "interrupted by SIGTERM" in out and "1 not started" in out
    kept = {path: path.read_bytes() for path in tmp_path.glob("results/*/*/cells.jsonl")}
    code, out, _ = finish(start(*sweep))
    assert code == 0 and "3 runs: 3 done" in out
    assert all(path.read_bytes().startswith(content) for path, content in kept.items())


@pytest.mark.slow
def test_runs_of_a_killed_sweep_stop_at_a_safe_point(start, tmp_path):
    process = start("-m", *SWEEP[:-1], "kappa=0.1,0.2", slowly=0.3)
    (journal,) = wait_for(lambda: list(tmp_path.glob("results/*/*/cells.jsonl")), process)
    process.kill()
    process.communicate()
    wait_for(lambda: next(iter(manifests(tmp_path).values()))["status"] == "interrupted", start("version", slowly=0))
    assert journal.read_bytes().endswith(b"\n")


@pytest.mark.slow
def test_sigusr2_under_submitit_saves_requeues_and_continues(start, tmp_path):
    process = start("launcher=submitit_local", *SWEEP[:-1], slowly=0.3)
    (journal,) = wait_for(lambda: list(tmp_path.glob("results/*/*/cells.jsonl")), process)
    pid = int((journal.parent / ".lock").read_text().split()[1])
    os.kill(pid, signal.SIGUSR2)
    code, out, err = finish(process)
    assert code == 0, out + err
    assert "1 runs: 1 done" in out
    assert len(journal.read_text().splitlines()) == 4  # each cell once
    logs = "".join(path.read_text() for path in tmp_path.glob("results/.sweep/.submitit/*/*_log.*"))
    assert "SIGUSR2: stopping at the next safe point" in logs and "Requeued job" in logs


@pytest.mark.slow
def test_of_two_identical_commands_one_works(start, tmp_path):
    words = [*SWEEP[:-1], "kappa=0.1"]
    both = [start(*words, slowly=1.0) for _ in range(2)]
    endings = sorted(finish(process) for process in both)
    assert [code for code, _, _ in endings] == [0, 2]
    assert "another process is working on this run (process " in endings[1][2]
    assert endings[1][2].count("\n") == 1
    (table,) = tmp_path.glob("results/*/*/records.csv")
    assert not pd.read_csv(table).duplicated().any()


@pytest.mark.slow
def test_two_identical_sweeps_share_the_work(start, tmp_path):
    words = ["-m", *SWEEP[:-1], "kappa=0.1,0.2,0.3"]
    both = [start(*words, slowly=0.1) for _ in range(2)]
    assert {code for code, _, _ in map(finish, both)} <= {0, 1}
    code, out, _ = finish(start(*words))
    assert code == 0 and "3 done (3 by an earlier command)" in out
    assert all(len((path / "cells.jsonl").read_text().splitlines()) == 4 for path in manifests(tmp_path))


@pytest.mark.slow
def test_force_repeats_the_sweep(start, tmp_path):
    words = ["-m", *SWEEP[:-1], "kappa=0.1,0.2"]
    assert finish(start(*words))[0] == 0
    first = {path: manifest["launch"] for path, manifest in manifests(tmp_path).items()}
    code, out, _ = finish(start(*words, "force=true"))
    assert code == 0 and "2 runs: 2 done, 0 failed" in out
    second = {path: manifest["launch"] for path, manifest in manifests(tmp_path).items()}
    assert first.keys() == second.keys() and not set(first.values()) & set(second.values())
