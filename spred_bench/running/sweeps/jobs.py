"""A job: one run of a command, here or in a process elsewhere."""

import json
import sys
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spred_bench.errors import Busy, UserError
from spred_bench.running import plan as plans
from spred_bench.running import runner
from spred_bench.running.result import INTERRUPTED, REFUSED, RUNNING, RunResult
from spred_bench.system import distributed, files, signals
from spred_bench.system.files import PACKAGE

_in_full = warnings.formatwarning


def _brief(message, category, filename, lineno, line=None) -> str:
    """Warnings of this program are for its user, and one line; those of libraries name their place."""
    if Path(filename).is_relative_to(PACKAGE):
        return f"spred-bench: warning: {message}\n"
    return _in_full(message, category, filename, lineno, line)


@dataclass
class Job:
    """What is the same for every run of a command. `sweep_file`: see `write_sweep`; None for a single run."""

    command: str
    launch: str = field(default_factory=lambda: f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}")
    sweep_file: Path | None = None

    def write_sweep(self, results_dir: Path, entries: list[dict]) -> None:
        """Put down what each job of a sweep runs, so that a yaml edited while it waits does not change it."""
        self.sweep_file = (results_dir / ".sweep" / f"{self.launch}.jsonl").absolute()
        with files.writing(self.sweep_file):
            self.sweep_file.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(self.sweep_file, "".join(json.dumps(entry) + "\n" for entry in entries))

    def entries(self) -> list[dict]:
        """What `write_sweep` put down, in the order of the jobs."""
        return [json.loads(line) for line in self.sweep_file.read_text().splitlines()]

    def run(self, config: Mapping, plan: plans.Plan | None = None) -> RunResult:
        """Run one configuration, whose `plan` may have been built already.

        Never raises for a failure of its own, so that the others of a sweep go on.
        """
        warnings.formatwarning = _brief
        try:
            with signals.interruptible(signals.STOPPING):
                signals.check()
                plan = plan or plans.assemble(config)
                result = runner.run(plan, self.command, launch=self.launch)
            if not distributed.leads():
                return result  # the first process speaks for all
            if self.sweep_file:
                print(f"{plan.name} {plan.run_id}: {result}")
            else:
                from spred_bench.running import summary  # loads pandas

                summary.show(plan, result)
        except UserError as error:
            print(f"spred-bench: error: {error}", file=sys.stderr)
            busy = isinstance(error, Busy) and self.sweep_file is not None
            return RunResult(state=RUNNING if busy else REFUSED, text=str(error))
        except signals.Interrupted as interruption:
            print(f"spred-bench: {interruption}; the same command continues", file=sys.stderr)
            return RunResult(state=INTERRUPTED, text=str(interruption), signum=interruption.signum)
        result.text = str(result)
        return result
