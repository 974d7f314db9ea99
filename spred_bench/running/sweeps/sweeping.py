"""Sweeps: hydra's own expansion of a grid, but only what is missing is launched, and every run is accounted for."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf, open_dict

from spred_bench.errors import UserError
from spred_bench.running import composition
from spred_bench.running.result import CRASHED, INTERRUPTED, NOT_STARTED, RUNNING, RunResult
from spred_bench.running.sweeps import closing
from spred_bench.running.sweeps.jobs import Job
from spred_bench.running.sweeps.local_pool import LocalPool
from spred_bench.system import signals


def register() -> None:
    """Make the sweeper and the launcher below known to hydra."""
    for plugin in (Sweeper, LocalPool):
        # hydra accepts plugins only by a name in this package, which it would scan for on every command.
        Plugins.instance().class_name_to_class[f"hydra_plugins.spred_bench.{plugin.__name__}"] = plugin


_TOLD = 12  # runs whose numbers a sweep ends with; the tables of more are for `collect`


class Command:
    """What hydra calls for each run, here or in another process. `plans`: those that checking the command has built."""

    def __init__(self, job: Job, plans: composition.Plans):
        self.job, self.plans = job, plans
        self.results: list[RunResult] = []  # of the runs of this process
        self.runs: list[RunResult] | None = None  # all runs, where the command is a sweep
        self.experiment: str | None = None
        self.signum: int | None = None  # of a signal that ended the sweep
        self.refusal: UserError | None = None  # why there was no sweep; hydra would print a traceback

    def __getstate__(self) -> dict:
        return {**vars(Command(self.job, composition.Plans()))}

    def close(self) -> int:
        """The last words of the command, and its exit code. UserError where a sweep could not begin."""
        if self.refusal is not None:
            raise self.refusal
        runs = self.results if self.runs is None else self.runs
        if self.runs is not None:
            closing.show(self.runs)
            if 0 < len(self.runs) <= _TOLD:
                closing.show_numbers(self.runs)
        paths = [run.path for run in runs if run.path and (run.path / "run.json").exists()]
        if self.experiment and paths:
            closing.gather(self.experiment, paths)
        if self.signum is not None:
            return 128 + self.signum
        return max((run.code for run in runs), default=0)

    def __call__(self, cfg) -> RunResult:
        if any(run.state == INTERRUPTED for run in self.results):
            return RunResult(text="the sweep was interrupted before")
        self.experiment = HydraConfig.get().runtime.choices.get("experiment")
        if self.job.sweep_file is not None:
            config, plan = self.job.entries()[HydraConfig.get().job.num]["config"], None
        else:
            config = composition.plain(cfg)
            plan = self.plans.take(config)
        self.results.append(self.job.run(config, plan))
        if self.results[-1].signum == signals.REQUEUE:
            signals.pass_on(signals.REQUEUE)  # to the scheduler's own handler, which may start us again
        return self.results[-1]


class Sweeper(BasicSweeper):
    """`hydra/sweeper=resuming`: launches the runs that are not done, and leaves what became of all with the command."""

    def setup(self, *, hydra_context, task_function, config) -> None:
        """See hydra."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self._command = task_function

    def sweep(self, arguments: list[str]) -> None:
        """See the class. What the user has to mend before anything can run is left with the command, too."""
        # Other launchers wait for processes that go on without this one: a signal ends the waiting at once.
        waits = isinstance(self.launcher, LocalPool)
        with signals.interruptible(signals.STOPPING) if waits else contextlib.nullcontext():
            try:
                self._sweep(arguments)
            except UserError as error:
                self._command.refusal = error
            self._command.signum = signals.requested()

    def _sweep(self, arguments: list[str]) -> None:
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        (points,) = self.split_arguments(parser.parse_overrides([*self._parse_config(), *arguments]), None)
        swept = [len(set(words)) > 1 for words in zip(*points, strict=True)]
        runs, todo = {}, []
        for words in points:
            plan = self._plan(words)
            if plan.path in runs:
                continue  # the same run in another spelling
            shown = " ".join(word for word, varies in zip(words, swept, strict=True) if varies)
            run = runs[plan.path] = RunResult(plan.path, words=shown)
            if not plan.settings.force and closing.is_complete(plan):
                closing.settle(run).before = True
            else:
                todo.append((words, run, dict(plan.config)))  # with the device that its path stands for
        self._command.runs = list(runs.values())
        self._command.experiment = self.config.hydra.runtime.choices.get("experiment")
        if todo:
            self._launch(todo, plan.settings.results_dir)

    def _plan(self, words: Sequence[str]):
        cfg = self.hydra_context.config_loader.load_sweep_config(self.config, list(words))
        with open_dict(cfg):
            del cfg["hydra"]
        launcher = OmegaConf.to_container(self.config.hydra.launcher)
        config = composition.plain(cfg)
        return self._command.plans.take(config) or composition.to_plan(config, launcher)

    def _launch(self, todo: list[tuple], results_dir: Path) -> None:
        job = self._command.job
        entries = [{"overrides": run.words, "path": str(run.path), "config": config} for _, run, config in todo]
        job.write_sweep(results_dir, entries)
        answers, reason = self._answers([list(words) for words, _, _ in todo])
        for (_, run, _), answer in zip(todo, answers, strict=True):
            if answer is not None and answer.state == CRASHED:  # its process is gone: what it left says more
                closing.settle(run, None, answer.text)
            else:
                closing.settle(run, answer, reason)
        if not any(run.state == RUNNING for _, run, _ in todo):
            job.sweep_file.unlink(missing_ok=True)
        if reason and not signals.requested():
            # The launcher gave up on all when one worker died (joblib): go on with the others, and try those that
            # were under way one by one, since any of them may have been the one.
            left = [entry for entry in todo if entry[1].state == NOT_STARTED]
            if 0 < len(left) < len(todo):
                self._launch(left, results_dir)
            suspects = [entry for entry in todo if entry[1].state == CRASHED]
            for entry in suspects if len(suspects) > 1 else []:
                self._launch([entry], results_dir)

    def _answers(self, jobs: list[list[str]]) -> tuple[list, str]:
        """(the answer of each job or None, why some have none)."""
        answers, size = [], self.max_batch_size or len(jobs)
        try:
            with patient_submitit(self.launcher):
                for first in range(0, len(jobs), size):
                    launched = self.launcher.launch(jobs[first : first + size], first)
                    answers += [answer.return_value for answer in launched]
        except Exception as error:  # of the launcher: a job raises nothing
            return answers + [None] * (len(jobs) - len(answers)), f"{type(error).__name__}: {error}".partition(". ")[0]
        return answers, ""


@contextlib.contextmanager
def patient_submitit(launcher):
    """Let submitit's launcher wait for all jobs: it asks one after the other, and leaves at the first that died."""
    if not type(launcher).__module__.startswith("hydra_plugins.hydra_submitit_launcher"):
        yield
        return
    from submitit.core.core import Job as Submitted
    from submitit.core.utils import FailedJobError, UncompletedJobError

    results = Submitted.results

    def patient(self):
        try:
            return results(self)
        except (FailedJobError, UncompletedJobError) as error:
            reason = f"{type(error).__name__}; its output is in {self.paths.stderr}"
            return [JobReturn(_return_value=RunResult(state=CRASHED, text=reason), status=JobStatus.COMPLETED)]

    Submitted.results = patient
    try:
        yield
    finally:
        Submitted.results = results
