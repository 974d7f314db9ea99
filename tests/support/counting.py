"""A task that costs nothing, run by the real runner: for what must hold of hundreds of runs."""

import time
from pathlib import Path

from spred_bench.components.tasks import BaseTask
from spred_bench.reporting.rows import Cell
from spred_bench.running import runner
from spred_bench.running.plan import Plan, Settings
from spred_bench.system import machine

N_CELLS = 5


class Task(BaseTask):
    """Cells whose rows are known; `pause_s` makes them last long enough to be hit."""

    key_columns = ("part",)

    def __init__(self, seed: int, pause_s: float = 0.0, n_cells: int = N_CELLS):
        self.seed, self.pause_s, self.n_cells = seed, pause_s, n_cells

    def summary(self, records):
        """Nothing to print."""

    def cells(self):
        return [Cell("none", "count", self.seed, {"part": part}) for part in range(self.n_cells)]

    def run(self, cell):
        for step in range(3):
            time.sleep(self.pause_s / 3)
            yield {"step": step, "metric": "value", "value": (self.seed + 1) / (step + 1 + cell.keys["part"])}


def plan(results: Path, seed: int, task=None, **settings) -> Plan:
    """What the command line would have made of it."""
    config = {
        "task": {"_target_": "spred_bench.components.tasks.counting.Task"},
        "seed": seed,
        "kappa": None,
        "scale": "smoke",
    }
    return Plan("counting", task or Task(seed), Settings(results_dir=results, seed=seed, **settings), config)


def run(results: Path, seed: int, pause_s: float = 0.0) -> str:
    """Run it in this process, without a word."""
    result = runner.run(plan(results, seed, Task(seed, pause_s)), "test", report=lambda line: None)
    return str(result)


def run_slowly(arguments: tuple[str, int]) -> str:
    """The same for a pool, without the stamps of the machine and of git, which cost more than the run."""
    results, seed = arguments
    machine.environment, machine.git_state = dict, lambda path: None
    return run(Path(results), seed, pause_s=0.01)
