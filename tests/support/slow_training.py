"""Run a configuration with steps that last long enough to be hit, and checkpoints every few of them."""

import time
from collections.abc import Mapping
from pathlib import Path

from spred_bench.running.sweeps.jobs import Job
from spred_bench.training import checkpoint, trainer

STEP_S = 0.002


def run(config: Mapping) -> tuple[int, int]:
    """(exit code, steps made here) of the run, for a process of its own: it changes the trainer."""
    steps, advance = [], trainer.Trainer._advance

    def slowly(run) -> None:
        steps.append(run.step)
        time.sleep(STEP_S)
        advance(run)

    trainer.Trainer._advance = slowly
    checkpoint.Checkpoints.__init__.__defaults__ = (None, 0.05)  # every_steps, every_s
    result = Job("test", sweep_file=Path("none")).run(config)
    return result.code, len(steps)
