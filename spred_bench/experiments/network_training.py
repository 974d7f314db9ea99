"""Train a classifier by a method: cross entropy, minibatches, the trainer. One network, or several stacked as one."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spred_bench.training import optimizers, schedules
from spred_bench.training.batches import Minibatches
from spred_bench.training.callbacks import evaluating
from spred_bench.training.trainer import Trainer, train

SCHEDULES = {
    "constant": schedules.constant,
    "linear": schedules.linear,
    "cosine": schedules.cosine,
    "one_cycle": schedules.one_cycle,
}
_EVALUATION_BATCH = 512


@dataclass(frozen=True)
class Recipe:
    """How long, in what steps and in which precision to train; see Trainer for the last four."""

    epochs: float
    batch_size: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: str = "constant"
    clip_norm: float | None = None
    autocast: str | None = None
    compile: bool = False
    channels_last: bool = False


@dataclass(frozen=True)
class Trained:
    """A plain network after training, and how it got there. curve: what was measured on the way."""

    network: nn.Module
    status: str
    step: int
    train_s: float
    curve: list[dict]


def fit(
    network: nn.Module,
    method,
    kappa: float | Tensor,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    transform=None,
    drop_last: bool = False,
    **more,
) -> Trainer:
    """Train `network`, prepared by `method`, at strength `kappa` (one per network of a stack); the finished trainer.

    `seed` orders the minibatches, the same for all networks of a stack. `transform` and `drop_last` are those of
    Minibatches; `more` goes to the trainer: callbacks and such.
    """

    def loss(network, batch):
        value = cross_entropy(network(batch[0]), batch[1])
        extra = method.penalty(network, kappa)
        return value if extra is None else value + extra

    groups = method.parameter_groups(network, kappa)
    return train(
        network,
        optimizers.build(recipe.optimizer, groups, recipe.learning_rate),
        loss,
        Minibatches(images, labels, batch_size=recipe.batch_size, seed=seed, transform=transform, drop_last=drop_last),
        epochs=recipe.epochs,
        schedule=None if recipe.schedule == "constant" else SCHEDULES[recipe.schedule](),
        clip_norm=recipe.clip_norm,
        autocast=recipe.autocast,
        compile=recipe.compile,
        channels_last=recipe.channels_last,
        **more,
    )


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch for logits (batch, classes); for (K, batch, classes) the sum over networks of their means."""
    if logits.ndim == 2:
        return nn.functional.cross_entropy(logits, labels)
    each = labels.expand(len(logits), -1)
    return nn.functional.cross_entropy(logits.mT, each, reduction="sum") / len(labels)


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor, autocast: str | None = None) -> Tensor:
    """Fraction of images whose largest logit is the label's: a scalar, or (K,) for a stack."""
    with evaluating(network), torch.autocast(images.device.type, torch.bfloat16, enabled=autocast is not None):
        parts = zip(images.split(_EVALUATION_BATCH), labels.split(_EVALUATION_BATCH), strict=True)
        return sum((network(x).argmax(-1) == y).sum(-1) for x, y in parts) / len(labels)
