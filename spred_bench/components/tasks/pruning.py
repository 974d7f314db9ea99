"""Pruning (paper, section 5.2, Fig. 5 and 7): train by a method, prune at many compressions, fine-tune.

Every pruned network is a cell; the cells of one training share it through its checkpoint. The strength of a method is
chosen on dev, and test images are looked at once a network is finished.
"""

import itertools
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check
from spred_bench.components.data.images import Images
from spred_bench.components.tasks import DataTask
from spred_bench.errors import Skip
from spred_bench.reporting.rows import Cell

Compression = Annotated[float, Field(ge=1)]


@component
class Task(DataTask):
    """Every method, model, kappa and seed on every image set.

    kappas: for each method its strengths of Eq. (3), as many for each, chosen between on dev; weight decay 2 kappa. A
        method without an entry has the strengths that it declares. The top-level `kappa`, where given, replaces all.
    compressions: all prunable weights over those kept.  thresholds: absolute ones to prune at as well.
    crop_padding, flip: augmentation.  dev_fraction: part of the training images held out.
    zero_threshold: what training itself must bring a weight to for it to count as zero.
    zero_peaks: thresholds of the share of weights near zero in the `n_histograms` largest convolutions (Fig. 7).
    min_decay_budget: a training of spred that cannot shrink a useless weight by exp of it is refused.
    warm_start: a file of a dense network's tensors to begin with.  export: keep the fine-tuned networks as files.
    ticket_compressions: at these, train the mask found from the initialisation, from `rewind_epochs`, and a random
        mask of the same density in each layer, all with weight decay 2 ticket_kappa.
    """

    data: dict[str, Any]
    model: dict[str, Any]
    method: dict[str, Any]
    kappas: dict[str, list[NonNegativeFloat]]
    n_seeds: PositiveInt = 1
    epochs: PositiveFloat = 200
    batch_size: PositiveInt = 256
    learning_rate: PositiveFloat = 0.1
    schedule: Literal["constant", "linear", "cosine", "one_cycle"] = "cosine"
    fine_tune_epochs: PositiveFloat = 20
    fine_tune_learning_rate: PositiveFloat = 4e-4
    fine_tune_schedule: Literal["constant", "linear", "cosine"] = "constant"
    crop_padding: NonNegativeInt = 4
    flip: bool = True
    autocast: Literal["bfloat16"] | None = None
    channels_last: bool = True
    compile: bool = False
    dev_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    compressions: list[Compression] = Field([1, 3, 10, 30, 100, 300, 1000], min_length=1)
    thresholds: list[NonNegativeFloat] = Field([])
    zero_threshold: NonNegativeFloat = 1e-6
    zero_peaks: list[PositiveFloat] = Field([1e-6, 1e-3])
    n_histograms: NonNegativeInt = 3
    min_decay_budget: NonNegativeFloat = 0.0
    warm_start: Path | None = None
    export: bool = False
    ticket_compressions: list[Compression] = Field([])
    ticket_kappa: NonNegativeFloat = 2.5e-4
    rewind_epochs: PositiveFloat = 1
    kappa: Annotated[float, Field(ge=0)] | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = (
        *("model", "width", "n_train", "n_classes", "learning_rate", "stage", "kappa", "l1_strength"),
        *("compression", "threshold", "ticket", "layer"),
    )

    def __post_init__(self):
        require_data(self.data, Images)
        for label in self.method:
            if not self._kappas(label):
                name = label.partition("[")[0]
                raise ValueError(f"no strengths for method={name}; give task.kappas.{name}=[...] or kappa=...")
        if missing := set(self.ticket_compressions) - set(self.compressions):
            raise ValueError(f"ticket_compressions holds {min(missing):g}, which is not among the compressions")
        redrawing = [label for label, method in self.method.items() if method.redraws]
        if self.warm_start and redrawing:
            raise ValueError(f"method={redrawing[0]} has init=independent, which redraws the weights of warm_start")
        self._on_device, self._last = {}, (None, None)

    def cells(self) -> list[Cell]:
        """In the order in which one training serves many: its own rows, then a cell per pruning, then its tickets."""
        check(self.data.values())
        self._check_warm_start()
        found = []
        for data in self.data:
            for model in self.model:
                for method in self.method:
                    for seed in range(self.seed, self.seed + self.n_seeds):
                        for kappa in self._kappas(method):
                            keys = {"model": model, "kappa": kappa}
                            found += [Cell(data, method, seed, keys | stage) for stage in self._stages(method)]
        return found

    def _check_warm_start(self) -> None:
        """Refuse a file that does not fit (UserError) before anything is trained."""
        for data, model in itertools.product(self.data, self.model) if self.warm_start else ():
            self._setting(Cell(data, "", self.seed, {"model": model})).build(self.seed)

    def _kappas(self, method: str) -> list[float]:
        if self.method[method].finds_kappa:
            return [0.0]  # each training finds its own: metric `target_kappa`
        if self.kappa is not None:
            return [self.kappa]
        return self.kappas.get(method.partition("[")[0]) or list(self.method[method].strengths)

    def _stages(self, method: str) -> list[dict]:
        compressions = [{"stage": "prune", "compression": ratio} for ratio in self.compressions]
        if self.method[method].prunes_at_start:
            return [stage for stage in compressions if stage["compression"] > 1]  # at 1 it is the dense network
        tickets = [
            {"stage": "ticket", "compression": ratio, "ticket": kind}
            for ratio in self.ticket_compressions
            for kind in ("initial", "early", "random")
        ]
        thresholds = [{"stage": "prune", "threshold": threshold} for threshold in self.thresholds]
        return [{"stage": "train"}, *compressions, *thresholds, *tickets]

    def run(self, cell: Cell):
        """The rows of one stage of one training."""
        setting = self._setting(cell)
        data = setting.data
        keys = {"width": setting.model.keys.get("width"), "l1_strength": 2 * cell.keys["kappa"]}
        keys |= {"n_train": len(data.train.labels), "n_classes": data.n_classes, "learning_rate": self.learning_rate}
        stages = {"train": self._training, "prune": self._pruning, "ticket": self._ticket}
        for row in stages[cell.keys["stage"]](cell, setting, self._trained(cell, setting)):
            yield {**keys, **row}

    def _training(self, cell: Cell, setting, trained):
        from spred_bench.experiments.pruning import measures

        for point in trained.curve:
            at = {"step": point["step"], "time_s": point["time_s"]}
            yield {"metric": "curve_accuracy", "value": point["accuracy"], "split": "dev", **at}
        end = {"step": trained.step, "time_s": trained.train_s, "status": trained.status}
        for rows in (
            measures.histograms(trained.network, self.n_histograms, self.zero_peaks),
            measures.zeros(trained.network),
            measures.accuracies(setting, trained.network, "accuracy", "train", "dev"),
            ({"metric": metric, "value": value} for metric, value in trained.kappa_figures.items()),
        ):
            yield from ({**end, **row} for row in rows)

    def _pruning(self, cell: Cell, setting, trained):
        from spred_bench.experiments.pruning import keeping, measures, stages

        network, kept = self._pruned(cell, trained)
        before = list(measures.accuracies(setting, network, "pruned_accuracy", "dev", "test"))
        recipe, checkpoints = setting.fine_tuning, self._checkpoints(cell)
        tuned = stages.train_sparse(setting, network, kept, cell.seed, recipe=recipe, checkpoints=checkpoints)
        after = measures.accuracies(setting, network, "fine_tuned_accuracy", "dev", "test")
        status = trained.status if trained.status != "done" else tuned.status
        end = {"step": trained.step + tuned.step, "time_s": trained.train_s + tuned.train_s, "status": status}
        exported = keeping.export_beside(self.scratch, cell.id, network, setting.data.dev) if self.export else ()
        spent = {"metric": "fine_tune_s", "value": tuned.train_s}
        for row in (*measures.zeros(network), *before, *after, spent, *exported):
            yield {**end, **row}

    def _ticket(self, cell: Cell, setting, trained):
        import torch

        from spred_bench.experiments.pruning import measures, stages
        from spred_bench.networks import masks
        from spred_bench.training.snapshot import load_tensors

        network, kept = self._pruned(cell, trained)
        start = self._rewind_step(setting) if cell.keys["ticket"] == "early" else 0
        if start not in trained.rewinds:
            raise Skip(f"the training {trained.status} before step {start}")
        load_tensors(network, trained.rewinds[start])
        if cell.keys["ticket"] == "random":
            kept = masks.shuffled(kept, torch.Generator().manual_seed(cell.seed))
        options = {"kappa": self.ticket_kappa, "checkpoints": self._checkpoints(cell)}
        ticket = stages.train_sparse(setting, network, kept, cell.seed, **options)
        end = {"step": ticket.step, "time_s": ticket.train_s, "status": ticket.status}
        for row in (*measures.zeros(network), *measures.accuracies(setting, network, "ticket_accuracy", "dev", "test")):
            yield {**end, **row}

    def _pruned(self, cell: Cell, trained):
        from spred_bench.experiments.pruning import masking

        how = {key: cell.keys[key] for key in ("compression", "threshold") if key in cell.keys}
        return masking.pruned(trained.network, self.method[cell.method], **how)

    def _trained(self, cell: Cell, setting):
        """The training that this cell shares with its neighbours: remembered, or resumed, or begun."""
        from spred_bench.experiments.pruning import stages

        at_init = self.method[cell.method].prunes_at_start
        shared = [key for key in cell.keys if key in ("model", "kappa") or (at_init and key == "compression")]
        whole = Cell(cell.dataset, cell.method, cell.seed, {key: cell.keys[key] for key in shared})
        if self._last[0] == whole.id:
            return self._last[1]
        rewinds = () if at_init or not self.ticket_compressions else (0, self._rewind_step(setting))
        trained = stages.train(
            setting,
            self.method[cell.method],
            cell.keys["kappa"],
            cell.seed,
            self.zero_threshold,
            ratio=cell.keys["compression"] if at_init else None,
            rewind_steps=rewinds,
            checkpoints=self._checkpoints(whole, shared=True),
        )
        self._last = whole.id, trained
        return trained

    def _checkpoints(self, cell: Cell, shared: bool = False):
        from spred_bench.experiments.pruning.keeping import checkpoints

        return checkpoints(self.scratch, cell.id, shared) if self.scratch is not None else None

    def _rewind_step(self, setting) -> int:
        return max(round(setting.steps_per_epoch * min(self.rewind_epochs, self.epochs)), 1)

    def _setting(self, cell: Cell):
        """Data on the device, network, recipes."""
        from spred_bench.experiments.network_training import Recipe
        from spred_bench.experiments.pruning.stages import Setting
        from spred_bench.experiments.splits import to_device

        if cell.dataset not in self._on_device:
            images = self.data[cell.dataset].load(self.seed)
            self._on_device = {cell.dataset: to_device(images, self.dev_fraction, self.device, standardise=True)}
        how = {"autocast": self.autocast, "compile": self.compile, "channels_last": self.channels_last}
        recipe = Recipe(self.epochs, self.batch_size, self.learning_rate, "sgd", self.schedule, **how)
        fine_tuning = Recipe(
            self.fine_tune_epochs, self.batch_size, self.fine_tune_learning_rate, "adam", self.fine_tune_schedule, **how
        )
        data, model = self._on_device[cell.dataset], self.model[cell.keys["model"]]
        how = {"warm_start": self.warm_start, "min_decay_budget": self.min_decay_budget}
        return Setting(data, model, recipe, fine_tuning, self.crop_padding, self.flip, **how)

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """Test accuracy after fine-tuning by method and compression, medians over seeds at the kappa chosen on dev."""
        from spred_bench.reporting.tables import frontier

        return frontier.by_method(records)
