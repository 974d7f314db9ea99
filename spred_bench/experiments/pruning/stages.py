"""The three trainings of a pruning experiment: by a method, of a sparse network from the start, and fine-tuning."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from spred_bench.components.methods.weight_decay import Method as WeightDecay
from spred_bench.errors import DecayBudgetTooSmall, UserError
from spred_bench.experiments.network_training import SCHEDULES, Recipe, Trained, accuracy, fit
from spred_bench.experiments.splits import Data
from spred_bench.networks import masks, sparsity
from spred_bench.networks.warm_start import load_dense
from spred_bench.training import decay_budget
from spred_bench.training.augmentation import augment
from spred_bench.training.callbacks import at, every, recorder
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.target_sparsity import TargetSparsity

_N_CURVE_POINTS = 10
_SCORING_BATCH = 1024  # images of the training set that a method which prunes at initialisation may look at


@dataclass(frozen=True)
class Setting:
    """What all methods of a comparison share: data, network, training, fine-tuning, augmentation."""

    data: Data
    model: object
    recipe: Recipe
    fine_tuning: Recipe
    crop_padding: int = 0
    flip: bool = False
    warm_start: Path | None = None
    min_decay_budget: float = 0.0

    @property
    def steps_per_epoch(self) -> int:
        """Full batches alone: batch normalisation needs more than a few images."""
        return len(self.data.train.labels) // min(self.recipe.batch_size, len(self.data.train.labels))

    def build(self, seed: int) -> tuple[nn.Module, torch.Generator]:
        """The network of this seed, the same for every method, and the generator that drew it."""
        generator = torch.Generator().manual_seed(seed)
        network = self.model.build(self.data.shape, self.data.n_classes, generator)
        if self.warm_start is not None:
            load_dense(network, self.warm_start, "task.warm_start")
        return network.to(self.data.train.images.device), generator


@dataclass(frozen=True)
class TrainedByMethod(Trained):
    """rewinds: {step: the tensors of the network then}, see `train`.  kappa_figures: the decay budget, and how a target
    sparsity was met."""

    rewinds: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    kappa_figures: dict[str, float] = field(default_factory=dict)


class Rewinds:
    """A callback that keeps what the plain network was at a step; part of checkpoints."""

    def __init__(self):
        self.kept: dict[int, dict[str, Tensor]] = {}

    def __call__(self, run) -> None:
        self.kept[run.step] = plain_tensors(run.model)

    def state_dict(self) -> dict:
        return self.kept

    def load_state_dict(self, state: dict) -> None:
        self.kept = dict(state)


def plain_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Copies of the tensors of the plain network: effective weights, vectors, buffers."""
    tensors = {**sparsity.weights_of(network, with_vectors=True), **dict(network.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def train(
    setting: Setting,
    method,
    kappa: float,
    seed: int,
    threshold: float = 0.0,
    *,
    ratio: float | None = None,
    rewind_steps: Sequence[int] = (),
    checkpoints: Checkpoints | None = None,
) -> TrainedByMethod:
    """Train by `method` at strength `kappa`; weights up to `threshold` become exact zeros.

    ratio: the compression at which a method that prunes at initialisation does so.  rewind_steps: where to keep a copy.
    """
    network, generator = setting.build(seed)
    if ratio is not None:
        batch = setting.data.train.images[:_SCORING_BATCH], setting.data.train.labels[:_SCORING_BATCH]
        masks.hold(network, method.masks(network, ratio, batch, generator))
    method.prepare(network, generator)
    rewinds = Rewinds()
    callbacks = [at(rewind_steps, rewinds)] if rewind_steps else []
    moving = method.callbacks()
    figures = _decay_budget(setting, network, method, kappa, moving)
    run = _fit(setting, network, method, kappa, setting.recipe, seed, checkpoints, [*callbacks, *moving])
    landings = [callback.landing for callback in moving if isinstance(callback, TargetSparsity)]
    figures |= {f"target_{name}": value for landing in landings for name, value in landing.items()}
    network = method.finalize(network, threshold)
    if not any(weight.any() for weight in sparsity.weights_of(network).values()):
        tqdm.write(f"kappa {kappa:g} is too large: no weight is above {threshold:g} after training", file=sys.stderr)
    return TrainedByMethod(network, run.status, run.step, run.elapsed_s, run.rows, rewinds.kept, figures)


def _decay_budget(setting: Setting, network: nn.Module, method, kappa: float, moving: list) -> dict[str, float]:
    """Say what the budget of spred is, and refuse (UserError) one below `min_decay_budget`; {} for other methods."""
    recipe = setting.recipe
    if any(isinstance(callback, TargetSparsity) for callback in moving):
        return {}
    planned = decay_budget.planned(
        network,
        method.parameter_groups(network, kappa),
        lr=recipe.learning_rate,
        n_steps=round(setting.steps_per_epoch * recipe.epochs),
        schedule=None if recipe.schedule == "constant" else SCHEDULES[recipe.schedule](),
        kappa_schedule=next(iter(moving), None),
    )
    if planned is None:
        return {}
    tqdm.write(str(planned), file=sys.stderr)
    try:
        planned.require(setting.min_decay_budget)
    except DecayBudgetTooSmall as error:
        raise UserError(f"{error}; task.min_decay_budget=0 runs it all the same") from None
    return {"decay_budget": planned.exponent}


def train_sparse(
    setting: Setting,
    network: nn.Module,
    kept: masks.Masks,
    seed: int,
    *,
    kappa: float = 0.0,
    recipe: Recipe | None = None,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train what `kept` leaves of `network`, in place, with plain weight decay 2 kappa."""
    masks.hold(network, kept)
    run = _fit(setting, network, WeightDecay(), kappa, recipe or setting.recipe, seed, checkpoints)
    return Trained(network, run.status, run.step, run.elapsed_s, run.rows)


def _fit(setting: Setting, network, method, kappa, recipe: Recipe, seed: int, checkpoints, callbacks=()):
    data = setting.data

    def progress(run) -> dict:
        return {"accuracy": accuracy(run.model, data.dev.images, data.dev.labels, recipe.autocast)}

    n_steps = setting.steps_per_epoch * recipe.epochs
    watching = every(max(round(n_steps / _N_CURVE_POINTS), 1), recorder(progress))
    return fit(
        network,
        method,
        kappa,
        data.train.images,
        data.train.labels,
        recipe,
        seed,
        transform=augment(setting.crop_padding, setting.flip),
        drop_last=True,
        callbacks=[watching, *callbacks],
        checkpoints=checkpoints,
    )
