"""spred as the paper trained it (Eq. (8)): f_l, or f_l and f_n behind one mask U, by SGD with weight decay 2 kappa.

    min  CE(f_l(W_l (U * x))) + CE(f_n(W_n (U * x))) + kappa (|W_l|^2 + |W_n|^2 + |U|^2)

U and (W_l, W_n) are the two factors of the first layer, one scalar per input: a penalty 2 kappa times the norm of each
input's weights in both models (Theorem 3). Predicted is the class of the largest mean probability of the two.
"""

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.methods.spred import Method
from spred_bench.components.models.two_heads import TwoHeads
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.components.selectors.training import Recipe, Training, cut_inputs
from spred_bench.training import optimizers

# An input with a smaller norm has no part in any logit: it is cut during training and zero at the end.
_DEAD = 1e-8


@component
class Selector(BaseSelector):
    """hidden: sizes of f_n's hidden layers, [] for f_l alone.  Grid: all pairs of kappas and learning_rates.

    patience: early stopping, see `training.Recipe`; the paper has it, but a network stopped early has few zeros.
    weight_decay: of f_n's other layers.  compact_every: steps between two compactions; 0 switches them off.
    """

    hidden: list[PositiveInt]
    kappas: list[PositiveFloat] = Field(min_length=1)
    learning_rates: list[PositiveFloat] = Field(min_length=1)
    max_steps: PositiveInt = 5000
    patience: PositiveInt | None = None
    clip_norm: PositiveFloat | None = 1.0
    weight_decay: NonNegativeFloat = 1e-5
    compact_every: NonNegativeInt = 20

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per kappa and learning rate, each trained from the same start."""
        return [self._at(split, n_classes, seed, device, k, lr) for k in self.kappas for lr in self.learning_rates]

    def _at(self, split: Split, n_classes: int, seed: int, device: str, kappa: float, rate: float) -> Selection:
        generator = torch.Generator().manual_seed(seed)
        network = TwoHeads(split.X_train.shape[1], n_classes, self.hidden, generator)
        method = Method(names="first.weight", group="input", init="independent", weight_decay=self.weight_decay)
        method.prepare(network, generator)
        network.to(device)
        optimizer = optimizers.build("sgd", method.parameter_groups(network, kappa), rate, momentum=0.9)
        training = _Masked(split, device, network, optimizer, kappa)
        recipe = Recipe(rate, self.max_steps, self.patience, self.clip_norm, self.compact_every)
        captured = training.fit(network, optimizer, recipe)
        return scored({"kappa": kappa, "learning_rate": rate}, *captured, split, training.curve)


class _Masked(Training):
    """Eq. (8) on one split. columns (k,): the inputs still in the network."""

    def __init__(self, split: Split, device: str, network: TwoHeads, optimizer, kappa: float):
        super().__init__(split, device)
        self.network, self.optimizer, self.kappa = network, optimizer, kappa
        self.columns = torch.arange(self.x.shape[1], device=device)

    def loss(self, network: TwoHeads, batch) -> Tensor:
        """The sum of the heads' mean cross entropies."""
        x, y = batch
        return _sum_of_losses(network(x), y)

    def answers(self, x: Tensor) -> Tensor:
        return _log_probabilities(self.network(x)).argmax(dim=1)

    def compact(self) -> None:
        """Cut the inputs whose weights are dead, but those that the loss pulls at more strongly than the penalty."""
        weight = self.network.first.weight.detach().requires_grad_()
        loss = _sum_of_losses(self.network.heads(self.x @ weight.T), self.y)
        (gradient,) = torch.autograd.grad(loss, weight)
        alive = (weight.norm(dim=0) > _DEAD) | (gradient.norm(dim=0) >= 2 * self.kappa)
        if alive.all():
            return
        kept = torch.nonzero(alive).squeeze(1)
        cut_inputs(self.network, self.network.first, self.optimizer, kept)
        self.columns = self.columns[kept]
        self.x, self.x_dev = self.x[:, kept].contiguous(), self.x_dev[:, kept].contiguous()

    @torch.no_grad()
    def capture(self):
        """(features, the largest weights first; log-probabilities) of the network as it is now, the dead left out."""
        norms = self.network.first.weight.norm(dim=0)
        order = torch.argsort(-norms, stable=True)[: int((norms > _DEAD).sum())]
        weight, features = self.network.first.weight[:, order].T.cpu(), self.columns[order].cpu().numpy()
        rest = TwoHeads(1, self.network.n_classes, [layer.in_features for layer in self.network.rest])
        rest.bias.copy_(self.network.bias)
        rest.rest.load_state_dict(self.network.rest.state_dict())

        @torch.no_grad()
        def decide(X: np.ndarray) -> np.ndarray:
            z = torch.from_numpy(np.ascontiguousarray(X[:, features], dtype=np.float32)) @ weight
            return _log_probabilities(rest.heads(z)).numpy()

        return features, decide


def _sum_of_losses(logits: Tensor, y: Tensor) -> Tensor:
    return sum(nn.functional.cross_entropy(head, y) for head in logits)


def _log_probabilities(logits: Tensor) -> Tensor:
    """(n, C), of the probabilities averaged over the heads (heads, n, C)."""
    return logits.log_softmax(dim=-1).logsumexp(dim=0)
