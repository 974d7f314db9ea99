"""Sweeps: hydra's own expansion of a grid, but only what is missing is launched, and every run is accounted for."""

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict

from spred_bench import closing, composition, pool, signals, timing
from spred_bench.jobs import Job, Result


def register() -> None:
    """Make the sweeper and the launcher below known to hydra."""
    for plugin in (Sweeper, LocalPool):
        # hydra accepts plugins only by a name in this package, which it would scan for on every command.
        Plugins.instance().class_name_to_class[f"hydra_plugins.spred_bench.{plugin.__name__}"] = plugin


class Command:
    """What hydra calls for each run, here or in another process."""

    def __init__(self, job: Job):
        self.job = job
        self.results: list[Result] = []  # of the runs of this process
        self.fates: list[closing.Fate] | None = None  # of all runs, where the command is a sweep

    def __getstate__(self) -> dict:
        return {"job": self.job, "results": [], "fates": None}

    def __call__(self, cfg) -> Result:
        if any(result.state == "interrupted" for result in self.results):
            return Result("not started", 1, "the sweep was interrupted before")
        in_sweep = self.job.sweep_file is not None
        config = self.job.entries()[HydraConfig.get().job.num]["config"] if in_sweep else composition.plain(cfg)
        self.results.append(self.job.run(config))
        if self.results[-1].signum == signals.REQUEUE:
            signals.pass_on(signals.REQUEUE)  # to the scheduler's own handler, which may start us again
        return self.results[-1]


class Sweeper(BasicSweeper):
    """`hydra/sweeper=resuming`: launches the runs that are not done, and leaves the fate of all with the command."""

    def setup(self, *, hydra_context, task_function, config) -> None:
        """See hydra."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._command = task_function

    def sweep(self, arguments: list[str]) -> None:
        """See the class. Raises only what the user has to mend before anything can run."""
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        (points,) = self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), None)
        swept = [len(set(words)) > 1 for words in zip(*points, strict=True)]
        fates, todo = {}, []
        for words in points:
            plan, config = self._plan(words)
            if plan.path in fates:
                continue  # the same run in another spelling
            shown = " ".join(word for word, varies in zip(words, swept, strict=True) if varies)
            fate = fates[plan.path] = closing.Fate(plan.path, shown)
            if not plan.settings.force and closing.is_complete(plan.path):
                closing.settle(fate).before = True
            else:
                todo.append((words, fate, config))
        self._command.fates = list(fates.values())
        if todo:
            self._launch(todo, plan.settings.results_dir)

    def _plan(self, words: Sequence[str]):
        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(words))
        with open_dict(cfg):
            del cfg["hydra"]
        return composition.to_plan(cfg), composition.plain(cfg)

    def _launch(self, todo: list[tuple], results_dir: Path) -> None:
        job = self._command.job
        entries = [{"overrides": fate.words, "path": str(fate.path), "config": config} for _, fate, config in todo]
        job.write_sweep(results_dir, entries)
        results, reason = [], ""
        try:
            size = self.max_batch_size or len(todo)
            for first in range(0, len(todo), size):
                words = [list(words) for words, _, _ in todo[first : first + size]]
                results += [answer.return_value for answer in self.launcher.launch(words, first)]
        except Exception as error:  # a launcher whose worker died tells nothing of the others: see what they left
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
        results += [None] * (len(todo) - len(results))
        for (_, fate, _), result in zip(todo, results, strict=True):
            if isinstance(result, pool.Ended):
                result, reason = result.result, result.reason
            closing.settle(fate, result, reason)
        if not any(fate.state == "running" for _, fate, _ in todo):
            job.sweep_file.unlink(missing_ok=True)


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
        """Run them all; each answer holds a pool.Ended."""
        job = self._command.job
        entries = job.entries()[initial_job_idx : initial_job_idx + len(job_overrides)]

        def ended(number: int, end: pool.Ended) -> None:
            text = end.result.text if end.result else end.reason
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
        return [JobReturn(_return_value=end, status=JobStatus.COMPLETED) for end in endings]


def visible_gpus(count: int) -> list[str]:
    """The first `count` GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return (given or [str(i) for i in range(count)])[:count]


@contextlib.contextmanager
def limited_threads(count: int):
    """Tell libraries that processes started here will load how many threads to use; what the user has set stays."""
    mine = [name for name in timing.THREAD_VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(mine, str(count)))
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]
