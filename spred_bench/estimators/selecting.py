"""Networks that select while they train: full-batch SGD on the shared trainer, early stopping, and compaction.

Compaction: an input whose weights have died and that the loss does not pull at stays dead, so it is cut out of the
network, the optimizer and the data, and the steps get as cheap as the selection is small.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from spred_bench.redundancy import factors_of
from spred_bench.training.callbacks import every
from spred_bench.training.trainer import train

# Steps between two looks at the dev part.
_EVALUATE_EVERY = 10


@dataclass(frozen=True)
class SelectingRecipe:
    """SGD with momentum .9 on the full batch.

    patience: stop that many steps after the last dev accuracy as good as the best, and take the network of then; None
    trains to the end and takes the end. compact_every: steps between two compactions, 0 for none.
    """

    learning_rate: float
    max_steps: int
    patience: int | None = None
    clip_norm: float | None = None
    compact_every: int = 0


class SelectingTraining(ABC):
    """One network on one split: what differs from network to network is left open.

    arrays: X_train (n, d) float32, y_train (n,) int64 from 0, X_dev (m, d), y_dev (m,), already scaled.
    """

    def __init__(self, arrays: Sequence[np.ndarray], device: str):
        arrays = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
        self.x, self.y, self.x_dev, self.y_dev = arrays
        self.curve: list[tuple[int, float, float]] = []
        self._step, self._best, self._best_step, self._kept = 0, -1.0, 0, None

    @abstractmethod
    def loss(self, network, batch) -> Tensor:
        """What is minimised, but the weight decay."""

    @abstractmethod
    def answers(self, x: Tensor) -> Tensor:
        """Labels (m,) of inputs (m, d)."""

    @abstractmethod
    def capture(self) -> tuple:
        """(features, the most important first; a function from X (m, d) to scores (m, C)), as the network is now."""

    @abstractmethod
    def compact(self) -> None:
        """Cut out what is dead, if anything."""

    def fit(self, network: nn.Module, optimizer, recipe: SelectingRecipe) -> tuple:
        """Train; what `capture` gave at the step the recipe takes. The optimizer goes on across compactions."""
        status = "max_steps"
        while self._step < recipe.max_steps and status == "max_steps":
            left = recipe.max_steps - self._step
            run = train(
                network,
                optimizer,
                self.loss,
                (self.x, self.y),
                max_steps=min(left, recipe.compact_every or left),
                until=every(_EVALUATE_EVERY, lambda run: self._look(self._step + run.step, recipe.patience)),
                clip_norm=recipe.clip_norm,
            )
            self._step, status = self._step + run.step, run.status
            self.compact()
        return self.capture() if recipe.patience is None else self._kept

    def _look(self, step: int, patience: int | None) -> bool:
        """Write the curve; of equally good networks keep the latest, which is the sparsest. True: patience is lost."""
        accuracy = float((self.answers(self.x_dev) == self.y_dev).float().mean())
        if not self.curve or self.curve[-1][0] < step:
            self.curve.append((step, float(self.loss(self.network, (self.x, self.y))), accuracy))
        if patience is None:
            return False
        if accuracy >= self._best:
            self._best, self._best_step, self._kept = accuracy, step, self.capture()
        return step - self._best_step >= patience


@torch.no_grad()
def cut_inputs(network: nn.Module, layer: nn.Module, optimizer, kept: Tensor) -> None:
    """Leave only the input columns `kept` of a redundant layer, in its factors and in what the optimizer remembers."""
    (factors,) = factors_of(network).values()
    for factor in factors:
        for name, value in optimizer.state[factor].items():
            if isinstance(value, Tensor) and value.shape == factor.shape:
                optimizer.state[factor][name] = value[:, kept].clone()
        factor.data, factor.grad = factor.data[:, kept].clone(), None
    layer.in_features = len(kept)
