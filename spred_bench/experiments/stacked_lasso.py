"""Many lasso problems trained as one: each pair (learning rate, problem) is a row of a stacked weight.

For an orthogonal design (X'X / n = I) and c = X'y / n, the least-squares weights,

    1/(2n) |y - X w|^2 = 1/2 |w - c|^2 + a constant,

so a problem is its c, its strength and its start. Rows do not interact: their losses are summed, hence each row has
the gradient it would have alone, and Adam is elementwise.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from spred_bench.redundancy import factors_of, reparametrize
from spred_bench.training.callbacks import at
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.trainer import train

OPTIMIZERS = {"gd": torch.optim.SGD, "adam": torch.optim.Adam}
# A row whose loss exceeds this many times the loss at w = 0 is diverging, and not yet inf.
_DIVERGED = 1e6


@dataclass(frozen=True)
class Problems:
    """R problems of p weights: least-squares solutions c (R, p), strengths alpha (R,), starts (R, p).

    All rows of `starts` are to have the same root mean square: the unit of the factors' start is taken from the whole
    tensor, and rows would otherwise depend on their neighbours.
    """

    c: np.ndarray
    alpha: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.alpha)


@dataclass(frozen=True)
class StackedSolutions:
    """Effective weights (rates, R, p), which rows diverged (rates, R), and {step: weights (rates, watched, p)}."""

    weights: np.ndarray
    diverged: np.ndarray
    trace: dict[int, np.ndarray]
    elapsed_s: float


class _Layer(nn.Module):
    """The weights of all problems at one learning rate."""

    def __init__(self, starts: Tensor):
        super().__init__()
        self.weight = nn.Parameter(starts.clone())


class StackedLasso(nn.Module):
    """The problems at every learning rate, redundant or plain; one layer per rate, for the optimizer's groups."""

    def __init__(self, problems: Problems, n_rates: int, redundant: bool, device: str = "cpu"):
        super().__init__()
        self.c, self.alpha, starts = (
            torch.tensor(array, dtype=torch.float64, device=device)
            for array in (problems.c, problems.alpha, problems.starts)
        )
        self.layers = nn.ModuleList(_Layer(starts) for _ in range(n_rates))
        if redundant:
            reparametrize(self.layers, "*weight")
        # [(u of each rate), (v of each rate)], looked up once and not at every step.
        self._factors = list(zip(*factors_of(self.layers).values(), strict=True))
        # A buffer: what a checkpoint of the trainer has to keep.
        self.register_buffer("alive", torch.ones(n_rates, len(problems), dtype=torch.bool, device=device))
        self.ceiling = _DIVERGED * self.c.square().sum(-1) / 2

    def weights(self) -> Tensor:
        """Effective weights, (rates, R, p)."""
        return torch.stack([layer.weight for layer in self.layers])

    def losses(self) -> Tensor:
        """Each row's loss without the constant, (rates, R): Eq. (3) with kappa = alpha / 2 if redundant, else Eq. (1).

        The penalty stands in the loss, since the strength differs from row to row; coupled weight decay is the same.
        """
        weights = self.weights()
        fit = (weights - self.c).square().sum(-1) / 2
        if not self._factors:
            return fit + self.alpha * weights.abs().sum(-1)
        return fit + self.alpha / 2 * sum(torch.stack(factor).square().sum(-1) for factor in self._factors)

    def loss(self) -> Tensor:
        """The sum of the rows that have not diverged; the others keep what they have, finite, and no gradient."""
        losses = self.losses()
        self.alive &= losses.detach() <= self.ceiling
        return torch.where(self.alive, losses, 0.0).sum()


class _Trace:
    """Weights of the watched problems at the steps it is called at: {step: (rates, watched, p)}; checkpointed."""

    def __init__(self, watched: Sequence[int]):
        self.watched, self.weights = list(watched), {}

    def __call__(self, trainer) -> None:
        self.weights[trainer.step] = trainer.model.weights()[:, self.watched].cpu()

    def state_dict(self) -> dict[int, Tensor]:
        return self.weights

    def load_state_dict(self, state: dict[int, Tensor]) -> None:
        self.weights = state


@contextmanager
def _one_thread():
    """Torch splits some operations (the square root in Adam) from 2048 entries on; for so few, waking threads is slow.

    On a busy machine of two cores this made Adam about forty times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_stacked(
    problems: Problems,
    learning_rates: Sequence[float],
    max_steps: int,
    *,
    redundant: bool,
    optimizer: str,
    watched: Sequence[int] = (),
    trace_steps: Sequence[int] = (),
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
) -> StackedSolutions:
    """Train all problems at all rates for `max_steps`; weights of the `watched` problems are kept at `trace_steps`."""
    model = StackedLasso(problems, len(learning_rates), redundant, device)
    groups = [
        {"params": list(layer.parameters()), "lr": rate}
        for layer, rate in zip(model.layers, learning_rates, strict=True)
    ]
    trace = _Trace(watched)
    with _one_thread():
        run = train(
            model,
            OPTIMIZERS[optimizer](groups),
            lambda model, batch: model.loss(),
            None,
            max_steps=max_steps,
            callbacks=[at(trace_steps, trace)] if len(watched) else [],
            checkpoints=checkpoints,
        )
    with torch.no_grad():
        model.loss()  # judge the last step too
        traced = {step: weights.numpy() for step, weights in trace.weights.items()}
        return StackedSolutions(model.weights().cpu().numpy(), ~model.alive.cpu().numpy(), traced, run.elapsed_s)
