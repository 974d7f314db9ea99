"""Two hundred runs, four at a time, killed at random until fifty kills are done, repeated until nothing is missing."""

import contextlib
import os
import random
import signal
import threading
import time

import pandas as pd
import pytest

import counting
from spred_bench.running.sweeps import closing, collecting
from spred_bench.system import pool

RUNS, KILLS = 200, 50


class Killer:
    """Kills a random live process of the pool now and then, until it has killed enough.

    Processes are held by descriptor: the number of one that has just ended may belong to another by now.
    """

    def __init__(self, enough: int):
        self.random, self.enough, self.killed = random.Random(0), enough, 0
        self._live: dict[int, int] = {}
        self._lock = threading.Lock()

    def started(self, number: int, pid: int) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            self._live[number] = os.pidfd_open(pid)

    def ended(self, number: int, ending: pool.ProcessEnd) -> None:
        with self._lock:
            if number in self._live:
                os.close(self._live.pop(number))
            self.killed += ending.exit_code == -signal.SIGKILL

    def hunt(self, over: threading.Event) -> None:
        while not over.wait(self.random.uniform(0, 0.03)) and self.killed < self.enough:
            with self._lock:
                if self._live:
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(self.random.choice(list(self._live.values())), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs descriptors of processes (Linux)")
def test_runs_killed_at_random_equal_an_undisturbed_sweep(tmp_path):
    for seed in range(RUNS):
        counting.run(tmp_path / "calm", seed)
    killer, over = Killer(KILLS), threading.Event()
    hunter = threading.Thread(target=killer.hunt, args=(over,), daemon=True)
    hunter.start()
    deadline = time.monotonic() + 1200
    plans = [counting.plan(tmp_path / "rough", seed) for seed in range(RUNS)]
    while missing := [seed for seed, plan in enumerate(plans) if not closing.is_complete(plan)]:
        assert time.monotonic() < deadline
        arguments = [(str(tmp_path / "rough"), seed) for seed in missing]
        pool.run_all(
            counting.run_slowly, arguments, 4, preload=["counting"], started=killer.started, ended=killer.ended
        )
    over.set()
    hunter.join()
    assert killer.killed >= KILLS
    for folder in ("calm", "rough"):
        collecting.collect(tmp_path / folder)
    calm, rough = (tmp_path / folder / "counting" / "records.csv" for folder in ("calm", "rough"))
    table = pd.read_csv(rough)
    assert len(table) == RUNS * counting.N_CELLS * 3
    assert not table.duplicated(["run_id", "part", "step"]).any()
    assert rough.read_bytes() == calm.read_bytes()
    for seed, plan in enumerate(plans):
        assert (plan.path / "records.csv").read_bytes() == (
            counting.plan(tmp_path / "calm", seed).path / "records.csv"
        ).read_bytes()
