"""Signals that arrive while a pool starts: nothing is launched after one, and none is lost."""

import os
import signal
import subprocess
import sys
import time

import pytest

# `loading` stands for torch: the server of the pool loads it for a while.
LOADING = """
import pathlib, time
pathlib.Path("loading").touch()
time.sleep(0.7)
"""
PARENT = """
import pathlib, sys, time
from spred_bench.system import pool, signals
import job

def started(number, pid):
    pathlib.Path("started").touch()

if __name__ == "__main__":
    with signals.interruptible(signals.STOPPING):
        ends = pool.run_all(job.work, [0, 1], 1, preload=["slow_module"], started=started)
        print([end.answer for end in ends], signals.requested(), flush=True)
"""
JOB = """
import pathlib, time
from spred_bench.system import signals

def work(number):
    pathlib.Path("launched").touch()
    for _ in range(600):
        if signals.requested():
            return "stopped"
        time.sleep(0.05)
    return "went to its end"
"""


@pytest.fixture
def start(tmp_path):
    for name, text in (("slow_module", LOADING), ("parent", PARENT), ("job", JOB)):
        (tmp_path / f"{name}.py").write_text(text)
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    process = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def wait_for(path):
    deadline = time.monotonic() + 100
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_while_the_server_loads(start, tmp_path, signum):
    wait_for(tmp_path / "loading")
    os.killpg(start.pid, signum)
    out, err = start.communicate(timeout=100)
    assert out == f"[None, None] {int(signum)}\n" and "Traceback" not in err
    assert not (tmp_path / "launched").exists()


@pytest.mark.slow
@pytest.mark.parametrize("target", [os.kill, os.killpg])
@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.05])
def test_a_signal_just_after_a_child_has_started(start, tmp_path, target, delay_s):
    wait_for(tmp_path / "started")
    time.sleep(delay_s)
    target(start.pid, signal.SIGTERM)
    out, err = start.communicate(timeout=100)
    assert out == f"['stopped', None] {int(signal.SIGTERM)}\n" and "Traceback" not in err
