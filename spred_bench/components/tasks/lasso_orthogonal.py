"""Lasso on an orthogonal design (paper, Fig. 2 left and Fig. 6): who finds the closed form's zeros, and when.

Every strength is moved by at most half the spacing of the grid, so that it differs from every |x_j'y| / n by at least
`margin`. At equality convergence is sublinear, and no threshold tells on which side of zero a weight is. The row metric
`margin` is the smallest difference kept.
"""

from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench import lasso
from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check
from spred_bench.components.data.regression import Regression
from spred_bench.components.tasks import DataTask
from spred_bench.errors import UserError
from spred_bench.lasso import LassoProblem
from spred_bench.reporting.rows import Cell

# name: (redundant, optimizer)
METHODS = {
    "spred_gd": (True, "gd"),
    "spred_adam": (True, "adam"),
    "l1_gd": (False, "gd"),
    "l1_adam": (False, "adam"),
}
_REFERENCE = "closed_form"
_ALPHA_STEP = 1e-4


@component
class Task(DataTask):
    """Each method on all strengths, seeds and learning rates at once; the rate of the best objective is kept.

    largest_alpha, n_alphas: the grid of strengths, zero left out. A given `kappa` replaces it by 2 kappa, which is
        moved like the grid; rows hold the kappa that was solved.
    trajectory_alphas: strengths followed over time (Fig. 6).  margin: see above; 0 leaves the grid as it is.
    start_scale: root mean square of the weights' start, drawn from `init_seed` on and the same for all methods.
    """

    data: dict[str, Any]
    learning_rates: list[PositiveFloat] = Field(min_length=1)
    thresholds: list[PositiveFloat] = Field(min_length=1)
    largest_alpha: PositiveFloat = 3.0
    n_alphas: PositiveInt = 30
    trajectory_alphas: list[PositiveFloat] = Field(min_length=1)
    margin: NonNegativeFloat = 0.0
    max_steps: PositiveInt = 10000
    n_trajectory_steps: PositiveInt = 40
    start_scale: PositiveFloat = 0.1
    n_seeds: PositiveInt = 5
    init_seed: NonNegativeInt = 1000
    kappa: Annotated[float, Field(ge=0)] | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = ("init_seed", "kappa", "l1_strength", "learning_rate", "threshold")

    def __post_init__(self):
        require_data(self.data, Regression)

    def cells(self) -> list[Cell]:
        """One per data set and method: all its strengths, rates and seeds train as one. UserError if X is not fit."""
        check(self.data.values())
        for name, source in self.data.items():
            for seed in self._seeds():
                _require_orthogonal(name, source.load(seed).X)
        return [Cell(name, method) for name in self.data for method in (_REFERENCE, *METHODS)]

    def run(self, cell: Cell):
        """Where each problem ended at its best rate, how each rate ended, and the trajectories."""
        instances = self._instances(cell.dataset)
        if cell.method == _REFERENCE:
            for instance in instances:
                yield from instance.reference_rows(self.margin)
            return
        from spred_bench.experiments import stacked_lasso  # load torch: `list` and `--cfg` do without
        from spred_bench.training import checkpoint

        redundant, optimizer = METHODS[cell.method]
        watched = [i for i, instance in enumerate(instances) if instance.watched]
        steps = np.unique(np.geomspace(1, self.max_steps, self.n_trajectory_steps).round().astype(int))
        problems = stacked_lasso.Problems(
            np.stack([instance.c for instance in instances]),
            np.array([instance.problem.alpha for instance in instances]),
            np.stack([instance.start for instance in instances]),
        )
        trained = stacked_lasso.train_stacked(
            problems,
            self.learning_rates,
            self.max_steps,
            redundant=redundant,
            optimizer=optimizer,
            watched=watched,
            trace_steps=[0, *steps.tolist()],
            device=self.device,
            checkpoints=checkpoint.of_cell(self, cell),
        )
        for i, instance in enumerate(instances):
            trace = {s: w[:, watched.index(i)] for s, w in trained.trace.items()} if instance.watched else {}
            yield from self._rows(instance, trained.weights[:, i], trained.diverged[:, i], trace)
        # Of all rows together: one problem alone has no time of its own.
        yield {"metric": "train_s", "value": trained.elapsed_s, "step": self.max_steps}

    def _seeds(self) -> range:
        return range(self.seed, self.seed + self.n_seeds)

    def _instances(self, dataset: str) -> list["Instance"]:
        """Every problem of a data set: seeds times strengths."""
        data = {seed: self.data[dataset].load(seed) for seed in self._seeds()}
        c = {seed: d.X.T @ d.Y / len(d.Y) for seed, d in data.items()}
        alphas = self._alphas(np.abs(np.concatenate(list(c.values()))))
        followed = [min(alphas, key=lambda alpha: abs(alpha - wanted)) for wanted in self.trajectory_alphas]
        instances = []
        for offset, seed in enumerate(self._seeds()):
            start = np.random.default_rng([self.init_seed + offset, 1]).standard_normal(len(c[seed]))
            start *= self.start_scale / np.sqrt(np.mean(start**2))
            instances += [
                Instance(
                    seed,
                    self.init_seed + offset,
                    LassoProblem(data[seed].X, data[seed].Y, alpha),
                    c[seed],
                    lasso.orthogonal_solution(data[seed].X, data[seed].Y, alpha),
                    start,
                    alpha in followed,
                )
                for alpha in alphas
            ]
        return instances

    def _alphas(self, correlations: np.ndarray) -> list[float]:
        """The grid and the strengths to follow, each at its place or the nearest one `margin` off all correlations."""
        spacing = self.largest_alpha / self.n_alphas
        if self.kappa is not None:
            alpha = 2 * self.kappa
            return [separated(alpha, correlations, self.margin, min(spacing, alpha) / 2) if alpha else alpha]
        grid = {*(_tidy(spacing * i) for i in range(1, self.n_alphas + 1)), *self.trajectory_alphas}
        apart = [separated(alpha, correlations, self.margin, spacing / 2) for alpha in sorted(grid)]
        return list(dict.fromkeys(apart))  # neighbours may share the nearest value that is off the correlations

    def _rows(self, instance: "Instance", weights: np.ndarray, diverged: np.ndarray, trace: dict):
        """Rows of one problem: weights (rates, p) at the end, and {step: weights} on the way."""
        ends = np.array([instance.problem.objective(w) for w in weights])
        ends[diverged] = np.inf
        for rate, end in zip(self.learning_rates, ends.tolist(), strict=True):
            status, value = ("done", end) if np.isfinite(end) else ("diverged", None)
            at = {"learning_rate": rate, "step": self.max_steps, "status": status}
            yield instance.row("final_objective", value, **at)
        best = int(ends.argmin())
        if not np.isfinite(ends[best]):
            return
        kept = {"learning_rate": self.learning_rates[best]}
        for metric, value, threshold in instance.scores(weights[best], self.thresholds):
            yield instance.row(metric, value, threshold=threshold, step=self.max_steps, **kept)
        for step, w in trace.items():
            for metric, value, threshold in instance.progress(w[best], self.thresholds):
                yield instance.row(f"trajectory_{metric}", value, threshold=threshold, step=step, **kept)

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """Per method: worst agreement with the closed form over strengths and seeds, and what it took."""
        table = []
        for (dataset, method), rows in records.groupby(["dataset", "method"], sort=False):
            line = {"data": dataset, "method": method}
            values = {metric: part for metric, part in rows.groupby("metric")}
            for threshold, part in values["sparse_ratio"].groupby("threshold") if "sparse_ratio" in values else ():
                line[f"zeros <= {threshold:g}"] = part["value"].mean()
            if "support_agreement" in values:
                for threshold, part in values["support_agreement"].groupby("threshold"):
                    line[f"worst support @ {threshold:g}"] = part["value"].min()
                line["worst rel. objective"] = values["relative_objective_error"]["value"].max()
                rates = values["objective"]["learning_rate"].value_counts().sort_index()
                line["rates kept"] = ", ".join(f"{rate:g}: {count}" for rate, count in rates.items())
                line["diverged"] = int((values["final_objective"]["status"] == "diverged").sum())
                line["train s"] = values["train_s"]["value"].sum()
            table.append(line)
        return pd.DataFrame(table)


class Instance:
    """One problem with its closed-form solution, and how weights are judged against it."""

    def __init__(self, seed, init_seed, problem: LassoProblem, c, solution, start, watched: bool):
        self.seed, self.init_seed, self.problem, self.watched = seed, init_seed, problem, watched
        self.c, self.solution, self.start = c, solution, start
        self.optimum = problem.objective(solution)

    def row(self, metric: str, value, **more) -> dict:
        """A row of this problem."""
        keys = {"seed": self.seed, "init_seed": self.init_seed}
        strength = {"kappa": self.problem.kappa, "l1_strength": self.problem.alpha}
        return {**keys, **strength, "metric": metric, "value": value, **more}

    def progress(self, w: np.ndarray, thresholds):
        """(metric, value, threshold) of weights under way: zeros are |w| <= threshold, absolute."""
        yield "objective", self.problem.objective(w), None
        yield "l1_norm", float(np.abs(w).sum()), None
        for threshold in thresholds:
            yield "sparse_ratio", float(np.mean(np.abs(w) <= threshold)), threshold

    def scores(self, w: np.ndarray, thresholds):
        """`progress`, the relative distance to the optimal value, and the share of weights on the right side of 0."""
        yield from self.progress(w, thresholds)
        yield "relative_objective_error", self.problem.objective(w) / self.optimum - 1, None
        for threshold in thresholds:
            right = (np.abs(w) > threshold) == (self.solution != 0)
            yield "support_agreement", float(np.mean(right)), threshold

    def reference_rows(self, margin: float):
        """Rows of the closed form, and the distance of the strength to the nearest correlation."""
        for metric, value, threshold in self.progress(self.solution, [0.0]):
            yield self.row(metric, value, threshold=threshold)
        yield self.row("margin", float(np.abs(np.abs(self.c) - self.problem.alpha).min()))


def _tidy(value: float) -> float:
    """0.3 for 0.30000000000000004: ten digits, however small the value is."""
    return float(f"{value:.10g}")


def separated(alpha: float, correlations: np.ndarray, margin: float, reach: float) -> float:
    """The value nearest to alpha, at most `reach` away, with all correlations at least `margin` off; else the best."""
    n = int(reach / _ALPHA_STEP)
    shifts = sorted(range(-n, n + 1), key=abs)
    candidates = np.array([_tidy(alpha + _ALPHA_STEP * shift) for shift in shifts])
    candidates = candidates[candidates > 0]
    distances = np.array([np.abs(correlations - candidate).min() for candidate in candidates])
    enough = np.flatnonzero(distances >= margin)
    return float(candidates[enough[0] if len(enough) else distances.argmax()])


def _require_orthogonal(name: str, X) -> None:
    n, p = X.shape
    error = np.abs(X.T @ X / n - np.eye(p)).max() if p <= n else np.inf
    if error > 1e-8:
        raise UserError(f"data={name}: task=lasso_orthogonal needs X'X / n = I, which is off by {error:.2g}")
