"""Lasso at scale (paper, Fig. 2 right): time to a certified gap, solver against solver, on one problem."""

from typing import Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench import lasso
from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check, names
from spred_bench.components.data.regression import Regression
from spred_bench.components.tasks import DataTask
from spred_bench.experiments.judging.isolation import ProblemFiles, Worker, solve_here
from spred_bench.experiments.judging.monitor import ZERO_THRESHOLDS
from spred_bench.lasso import LassoProblem
from spred_bench.reporting.rows import Cell
from spred_bench.reporting.tables.learning_curves import median_time
from spred_bench.reporting.tables.terminal import mark_best

# The paper reports spred's time when its zero rate is 75, 90 and 100 % of its converged one.
_ZERO_RATE_FRACTIONS = (0.75, 0.9, 1.0)


@component
class Task(DataTask):
    """Every solver on every data set, at every strength and seed.

    lambda_ratios: strengths as fractions of lambda_max; `kappa`, where given, replaces them by alpha = 2 kappa.
    gap_targets: relative duality gaps whose time is reported; the smallest one stops a solver.
    time_limit_s: per cell, on the solver's own clock.
    isolate: which solvers run in a child process, where the limit stops them whatever they do and the memory they add
        to X is measured: none, those that cannot be stopped otherwise (black_box), or all.
    """

    data: dict[str, Any]
    solver: dict[str, Any]
    lambda_ratios: list[Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)
    n_seeds: PositiveInt = 1
    gap_targets: list[PositiveFloat] = Field(min_length=1)
    time_limit_s: PositiveFloat = 30.0
    isolate: Literal["none", "black_box", "all"] = "black_box"
    kappa: Annotated[float, Field(ge=0)] | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = (
        *("data", "solver", "n_samples", "n_features", "n_targets", "truth", "correlation"),
        *("lambda_ratio", "kappa", "l1_strength", "threshold"),
    )

    def __post_init__(self):
        require_data(self.data, Regression)
        self._loaded, self._files, self._workers = (None, None), None, {}

    def cells(self) -> list[Cell]:
        """One per data set, seed, strength and solver; solvers innermost, so that rivals run side by side."""
        check(self.data.values())
        ratios = [None] if self.kappa is not None else self.lambda_ratios
        return [
            Cell(names(self.data)[data].partition("[")[0], solver, seed, {"data": data, "lambda_ratio": ratio})
            for data in self.data
            for seed in range(self.seed, self.seed + self.n_seeds)
            for ratio in ratios
            for solver in self.solver
        ]

    def run(self, cell: Cell):
        """Solve the cell's problem and tell its curve, its times to each target, and where it ended."""
        problem, keys = self._problem(cell)
        solver = self.solver[cell.method]
        if self.isolate == "all" or (self.isolate == "black_box" and solver.black_box):
            worker = self._workers.setdefault(cell.method, Worker(solver, solver.python))
            if self._files is None:
                self._files = ProblemFiles(problem.X, problem.Y)
            result = worker.solve(self._files, problem, self.gap_targets, self.time_limit_s)
        else:
            result = solve_here(solver, problem, self.gap_targets, self.time_limit_s, self.device)
        return _rows(result, keys, self.gap_targets)

    def _problem(self, cell: Cell) -> tuple[LassoProblem, dict]:
        data = self._load(cell.keys["data"], cell.seed)
        ratio = cell.keys["lambda_ratio"]
        largest = lasso.lambda_max(data.X, data.Y)
        problem = LassoProblem(data.X, data.Y, 2 * self.kappa if ratio is None else ratio * largest)
        keys = {
            "solver": cell.method.partition("[")[0],
            "n_samples": data.X.shape[0],
            "n_features": data.X.shape[1],
            "n_targets": problem.n_targets,
            # As it was asked for: dividing again differs in the last digit from seed to seed, and would part them.
            "lambda_ratio": problem.alpha / largest if ratio is None and largest > 0 else ratio,
            "kappa": problem.kappa,
            "l1_strength": problem.alpha,
            **data.keys,
        }
        return problem, keys

    def _load(self, label: str, seed: int):
        """The data of a cell, kept for its neighbours: a large design is drawn once, not once per solver."""
        if self._loaded[0] != (label, seed):
            self._forget()  # let go of the old design before drawing the new one
            self._loaded = ((label, seed), self.data[label].load(seed))
        return self._loaded[1]

    def close(self) -> None:
        """End the child processes and remove what was written for them."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self._forget()

    def _forget(self) -> None:
        self._loaded = (None, None)
        if self._files is not None:
            self._files.close()
        self._files = None

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """Median over seeds of the time to each target gap; a blank is a target that half of them missed."""
        # One kappa is another fraction of every seed's lambda_max.
        strength = "lambda_ratio" if self.kappa is None else "kappa"
        keys = ["data", "n_features", "n_targets", strength, "method"]
        last = records[records["metric"].isin(["final_relative_gap", "final_zero_rate"])]
        ends = last.pivot_table(index=keys, columns="metric", values="value", aggfunc="median", sort=False)
        times = records[records["metric"] == "time_to_gap_s"]
        reached = times.pivot_table(
            index=keys, columns="threshold", values="value", aggfunc=median_time, sort=False, dropna=True
        )
        reached = reached[sorted(reached.columns, reverse=True)].add_prefix("s to gap ")
        table = ends.join(reached).reset_index()
        skipped = records[records["status"].isin(["skipped", "failed"])]
        whole = pd.concat([table, skipped[["data", "method", strength, "note"]].drop_duplicates()]).rename(
            columns={"final_relative_gap": "gap", "final_zero_rate": "zero rate"}
        )
        for column in reached.columns:
            mark_best(whole, column, keys[:-1])
        return whole


def _rows(result: dict, keys: dict, gap_targets):
    trace, status = result["trace"], result["status"]

    def row(metric, value, **more):
        return {**keys, "metric": metric, "value": value, "status": status, **more}

    for point in trace:
        at = {"step": point.step, "time_s": point.time_s}
        yield row("objective", point.objective, **at)
        yield row("relative_gap", point.relative_gap, **at)
        for threshold, rate in zip(ZERO_THRESHOLDS, point.zero_rates, strict=True):
            yield row("zero_rate", rate, threshold=threshold, **at)
    for target in gap_targets:
        reached = min((point.time_s for point in trace if point.relative_gap <= target), default=None)
        yield row("time_to_gap_s", reached, threshold=target)
    if not trace:
        return  # stopped before its first answer
    end = trace[-1] if status == "diverged" else min(trace, key=lambda point: point.relative_gap)
    for fraction in _ZERO_RATE_FRACTIONS:
        goal = fraction * end.zero_rates[-1]
        reached = min(point.time_s for point in trace if point.zero_rates[-1] >= goal)
        yield row("time_to_zero_rate_s", reached, threshold=fraction)
    yield row("final_objective", end.objective, step=end.step, time_s=end.time_s)
    yield row("final_relative_gap", end.relative_gap, step=end.step, time_s=end.time_s)
    yield row("final_zero_rate", end.zero_rates[-1], step=end.step, time_s=end.time_s)
    yield row("warm_up_s", result["warm_up_s"])
    yield row("added_memory_bytes", result["added_bytes"])
