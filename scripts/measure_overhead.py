"""Measure what the runner itself costs: `python scripts/measure_overhead.py [output folder]`.

A run of 1,000 cells that compute nothing, `collect` of 1,000 runs, and the start of a run in the local pool. Writes
records.csv and run.json there (default: results/reference/runner_overhead).
"""

import sys
import tempfile
import time
from pathlib import Path

from reference_rows import Measurement

from spred_bench.reporting.rows import Cell
from spred_bench.running import runner
from spred_bench.running.plan import Plan, Settings
from spred_bench.running.sweeps import collecting
from spred_bench.system import pool

N_CELLS, N_RUNS, N_STARTS, REPEATS = 1000, 1000, 40, 3


class Task:
    """Cells of three rows, computed in no time."""

    key_columns = ("part",)

    def __init__(self, n_cells: int):
        self.n_cells = n_cells

    def cells(self):
        """Cells that compute nothing."""
        return [Cell("none", "nothing", 0, {"part": part}) for part in range(self.n_cells)]

    def run(self, cell):
        """Three rows."""
        return [{"step": step, "metric": "value", "value": step / 7} for step in range(3)]


def plan(results: Path, seed: int, n_cells: int) -> Plan:
    """A run of nothing."""
    config = {"task": {"n_cells": n_cells}, "seed": seed, "kappa": None, "scale": "smoke", "device": "cpu"}
    return Plan("nothing", Task(n_cells), Settings(results_dir=results, seed=seed, device="cpu"), config)


def run(arguments) -> None:
    """One run; its arguments as one tuple, for a pool."""
    results, seed, n_cells = arguments
    runner.run(plan(Path(results), seed, n_cells), "measure_overhead", report=lambda line: None)


def seconds(function, *arguments) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def measure(folder: Path) -> dict[str, float]:
    """One repetition of everything: {metric: value}."""
    long = folder / "long"
    first = seconds(run, (long, 0, N_CELLS))
    again = seconds(run, (long, 0, N_CELLS))
    many = seconds(lambda: [run((folder / "many", seed, 1)) for seed in range(N_RUNS)])
    collect = seconds(collecting.collect, folder / "many")
    jobs = [(str(folder / "pool"), seed, 1) for seed in range(N_STARTS)]
    pool.run_all(
        run, jobs[:1], 1, preload=["spred_bench.running.runner", "spred_bench.running.sweeps.collecting"]
    )  # starts the server of the pool
    pooled = seconds(pool.run_all, run, jobs[1:], 2)
    return {
        "seconds_per_cell_s": first / N_CELLS,
        "seconds_to_skip_a_finished_run_s": again,
        "seconds_per_run_of_one_cell_s": many / N_RUNS,
        f"collect_{N_RUNS}_runs_s": collect,
        "seconds_per_run_in_pool_of_two_s": pooled / (N_STARTS - 1),
    }


def main() -> None:
    """Measure three times and write records.csv and run.json."""
    measurement = Measurement("runner_overhead", *sys.argv[1:2] or [None], ["repeat"])
    for repeat in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            for metric, value in measure(Path(folder)).items():
                measurement.add(metric, value, repeat=repeat)
    measurement.write()


if __name__ == "__main__":
    main()
