"""Node sparsity (paper, section 5.1, Fig. 4): weight decay on two consecutive layers is an L1 penalty on the nodes.

A node is dead by the paper's definition (mean magnitude of its column of W2 below `node_threshold`) or by a scale-free
one (product of its norms in W1 and W2 at most `node_ratio` of the largest). Dead nodes by the paper's definition are
then removed, which leaves a smaller dense network. Test images are looked at once, when everything is decided.
"""

import math
from typing import Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check
from spred_bench.components.data.images import Images
from spred_bench.components.tasks import DataTask
from spred_bench.reporting.rows import Cell
from spred_bench.reporting.tables.lines import Line, fit_line

# On a CPU, stacking pays as long as the products are too small to fill it; see scripts/benchmark_trainer.py.
_LARGEST_STACKED_LAYER = 16_384


@component
class Task(DataTask):
    """Every method, model, kappa and seed on every image set.

    kappas: strengths of Eq. (3), weight decay 2 kappa; the top-level `kappa`, where given, replaces them.
    dev_fraction: part of the training images held out; curves and ranks are read there.
    weight_thresholds: what counts as a zero weight.  zero_threshold: what a method turns into exact zeros at the end.
    stack: kappas trained together, as one module; auto takes all of them where the method allows it and that is faster,
        else one.
    patience: stop after so many epochs without a better dev accuracy and go back to the best; kappas one by one.
    """

    data: dict[str, Any]
    model: dict[str, Any]
    method: dict[str, Any]
    kappas: list[NonNegativeFloat] = Field(min_length=1)
    n_seeds: PositiveInt = 1
    epochs: PositiveFloat = 50
    batch_size: PositiveInt = 128
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    clip_norm: PositiveFloat | None = None
    autocast: Literal["bfloat16"] | None = None
    compile: bool = False
    dev_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    node_threshold: PositiveFloat = 1e-4
    node_ratio: PositiveFloat = 1e-3
    weight_thresholds: list[PositiveFloat] = Field([1e-4], min_length=1)
    zero_threshold: NonNegativeFloat = 1e-6
    stack: Literal["auto"] | PositiveInt = "auto"
    patience: PositiveInt | None = None
    kappa: Annotated[float, Field(ge=0)] | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = (
        *("model", "activation", "bias", "hidden", "n_train", "kappas", "kappa", "l1_strength", "threshold"),
    )

    def __post_init__(self):
        require_data(self.data, Images)
        for label, model in self.model.items():
            if not model.has_hidden_layer:
                raise ValueError(f"model={label} has no hidden layer whose nodes could be counted; expected mlp")
        for label, method in self.method.items():
            if method.prunes_at_start:
                raise ValueError(f"method={label} prunes before the training; only task=pruning does")
            if method.finds_kappa:
                raise ValueError(f"method={label} has a target_sparsity, but kappa is given here; use task=pruning")
            if self.stack not in ("auto", 1) and not method.stacks:
                raise ValueError(f"stack={self.stack}: method={label} trains one at a time; expected stack=auto or 1")
        if len(set(self.kappas)) < len(self.kappas):
            raise ValueError(f"kappas={self.kappas} holds one of them twice")
        if self.patience is not None and self.stack not in ("auto", 1):
            raise ValueError(
                f"stack={self.stack} trains as one, but patience stops each alone; expected stack=auto or 1"
            )
        self._read, self._on_device = {}, {}

    def cells(self) -> list[Cell]:
        """One per data set, model, method, seed and stack of kappas: what trains together is one unit of work."""
        check(self.data.values())
        kappas = [self.kappa] if self.kappa is not None else self.kappas
        found = []
        for data in self.data:
            for model in self.model:
                for method in self.method:
                    size = self._stack_size(data, model, method, len(kappas))
                    stacks = [kappas[i : i + size] for i in range(0, len(kappas), size)]
                    found += [
                        Cell(data, method, seed, {"model": model, "kappas": " ".join(map(str, stack))})
                        for seed in range(self.seed, self.seed + self.n_seeds)
                        for stack in stacks
                    ]
        return found

    def run(self, cell: Cell):
        """Train the cell's networks, count their dead nodes, remove them, and measure what is left."""
        from spred_bench.experiments import nodes  # load torch: `list` and `--cfg` do without
        from spred_bench.training import checkpoint

        kappas = [float(kappa) for kappa in cell.keys["kappas"].split()]
        model, method = self.model[cell.keys["model"]], self.method[cell.method]
        data = self._load(cell.dataset)
        criteria = nodes.Criteria(self.node_threshold, self.node_ratio, self.weight_thresholds)
        keys = {**model.keys, "n_train": len(data.train.labels)}
        for trained in nodes.train_all(
            model,
            method,
            kappas,
            data,
            self._recipe(),
            cell.seed,
            criteria,
            self.zero_threshold,
            checkpoints=lambda name: checkpoint.of_cell(self, cell, name),
            patience=self.patience,
        ):
            strength = {"kappa": trained.kappa, "l1_strength": 2 * trained.kappa}
            for row in nodes.measure(trained, data, criteria):
                yield {**keys, **strength, "status": trained.status, **row}

    def _stack_size(self, data: str, model: str, method: str, n_kappas: int) -> int:
        if self.stack != "auto":
            return self.stack
        if self.patience is not None or not self.method[method].stacks:
            return 1
        if self.device.startswith("cuda"):
            return n_kappas
        layer = math.prod(self._images(data).shape) * self.model[model].hidden
        return n_kappas if layer <= _LARGEST_STACKED_LAYER else 1

    def _recipe(self):
        from spred_bench.experiments.network_training import Recipe

        return Recipe(
            self.epochs,
            self.batch_size,
            self.learning_rate,
            self.optimizer,
            self.schedule,
            self.clip_norm,
            self.autocast,
            self.compile,
        )

    def _images(self, label: str) -> Images:
        """The images of a data set, kept for its neighbours."""
        if label not in self._read:
            self._read = {label: self.data[label].load(self.seed)}
        return self._read[label]

    def _load(self, label: str):
        """The same on the device, split."""
        from spred_bench.experiments import splits

        if label not in self._on_device:
            self._on_device = {label: splits.to_device(self._images(label), self.dev_fraction, self.device)}
        return self._on_device[label]

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """Medians over seeds per kappa; slope and R^2 of zero weights against removed nodes, over kappas and seeds.

        Networks that diverged are counted, and are not among the points of the line.
        """
        ends = ["node_sparsity", "relative_node_sparsity", "removed", "weight_sparsity", "effective_rank"]
        runs = ["dataset", "method", "model", "hidden", "kappa", "seed"]
        chosen = records[records["metric"].isin([*ends, "n_nodes", "removed_n_parameters"])]
        chosen = chosen[(chosen["metric"] != "weight_sparsity") | (chosen["threshold"] == self.weight_thresholds[0])]
        test = records[(records["metric"] == "removed_accuracy") & (records["split"] == "test")]
        table = pd.concat([chosen, test]).pivot_table(index=runs, columns="metric", values="value", sort=False)
        table["removed"] = 1 - table["n_nodes"] / table.index.get_level_values("hidden")
        diverged = chosen.groupby(runs)["status"].first() == "diverged"
        groups = table[~diverged.reindex(table.index)].groupby(level=runs[:3], sort=False)
        lines = {key: fit_line(group["removed"], group["weight_sparsity"]) for key, group in groups}
        shown = [*ends, "removed_n_parameters", "removed_accuracy"]
        by_kappa = [*runs[:3], "kappa"]
        medians = table.groupby(level=by_kappa, sort=False).median()[shown]
        if diverged.any():
            medians["diverged"] = diverged.groupby(level=by_kappa).sum()
        medians = medians.reset_index()
        fits = pd.DataFrame([(*key, *line) for key, line in lines.items()], columns=[*runs[:3], *Line._fields])
        table = medians.merge(fits, on=runs[:3], how="left")
        table.loc[table.duplicated(runs[:3]), ["slope", "intercept", "r_squared"]] = float("nan")
        return table.rename(
            columns={
                "node_sparsity": "dead nodes",
                "relative_node_sparsity": "scale-free",
                "weight_sparsity": "zero weights",
                "effective_rank": "rank",
                "removed_n_parameters": "parameters left",
                "removed_accuracy": "test accuracy",
            }
        )
