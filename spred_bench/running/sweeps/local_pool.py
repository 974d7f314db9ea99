"""The launcher `local_pool`: the runs of a sweep in processes of this machine that cannot take each other down."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from spred_bench.running.result import CRASHED, RunResult
from spred_bench.system import pool, thread_count


class LocalPool(Launcher):
    """`hydra/launcher=local_pool`: each run in a process of its own on this machine; see pool.py.

    n_jobs: runs at a time; null for as many as there are cores for.  threads: of each run; null shares the cores.
    gpus: 0, or the number of GPUs to hand out, one to each place of the pool in turns.
    """

    def __init__(self, n_jobs: int | None = 1, threads: int | None = None, gpus: int = 0):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._n_jobs = n_jobs or max(cores // (threads or 1), 1)
        self._threads = threads or max(cores // self._n_jobs, 1)
        self._gpus = gpus

    def setup(self, *, hydra_context, task_function, config) -> None:
        """See hydra."""
        self._command = task_function

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Run them all; the answer of one whose process died says how."""
        job = self._command.job
        entries = job.entries()[initial_job_idx : initial_job_idx + len(job_overrides)]

        def ended(number: int, end: pool.ProcessEnd) -> None:
            text = end.answer.text if end.answer else end.reason
            name = entries[number]["overrides"] or entries[number]["path"]
            print(f"[{initial_job_idx + number + 1}/{len(job.entries())}] {name}: {text}", flush=True)

        # What checking the command has loaded here is what its runs will need there.
        loaded = [name for name in sys.modules if name.startswith("spred_bench.") and name != "spred_bench.__main__"]
        with limited_threads(self._threads):
            endings = pool.run_all(
                job.run,
                [entry["config"] for entry in entries],
                min(self._n_jobs, len(entries)),
                preload=loaded,
                environments=[{"CUDA_VISIBLE_DEVICES": gpu} for gpu in visible_gpus(self._gpus)] or [{}],
                logs=[Path(entry["path"]) / "log.txt" for entry in entries],
                ended=ended,
            )
        answers = [end.answer or RunResult(state=CRASHED, text=end.reason) for end in endings]
        return [JobReturn(_return_value=answer, status=JobStatus.COMPLETED) for answer in answers]


def visible_gpus(count: int) -> list[str]:
    """The first `count` GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (given or [str(i) for i in range(count)])[:count]


@contextlib.contextmanager
def limited_threads(count: int):
    """Tell libraries that processes started here will load how many threads to use; what the user has set stays."""
    mine = [name for name in thread_count.VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(mine, str(count)))
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]
