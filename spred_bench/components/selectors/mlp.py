"""The paper's plain networks: one hidden ReLU layer, with weight decay or with an L1 penalty added to the loss, by SGD.

Weight decay selects nothing, and the subgradient of an L1 penalty reaches no exact zeros: that is their point here.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.models.mlp import Mlp
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.estimators.selecting import SelectingRecipe, SelectingTraining
from spred_bench.training import optimizers

_ZERO = 1e-8


@component
class Selector(BaseSelector):
    """penalty: kappa |w|^2 on all weights, or 2 kappa |W_1|_1 on the first layer's.  Grid: kappas and learning_rates.

    An input counts as selected if the norm of its weights exceeds 1e-8.  patience: see `SelectingRecipe`.
    """

    penalty: Literal["weight_decay", "l1"]
    hidden: PositiveInt = 4096
    kappas: list[PositiveFloat] = Field(min_length=1)
    learning_rates: list[PositiveFloat] = Field(min_length=1)
    max_steps: PositiveInt = 5000
    patience: PositiveInt | None = 1000
    clip_norm: PositiveFloat | None = 1.0

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per kappa and learning rate, each trained from the same start."""
        return [self._at(split, n_classes, seed, device, k, lr) for k in self.kappas for lr in self.learning_rates]

    def _at(self, split: Split, n_classes: int, seed: int, device: str, kappa: float, rate: float) -> Selection:
        generator = torch.Generator().manual_seed(seed)
        network = Mlp(split.X_train.shape[1], self.hidden, n_classes, "relu", "usual", generator).to(device)
        decay = 2 * kappa if self.penalty == "weight_decay" else 0.0
        groups = [{"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": decay}]
        groups.append({"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0})
        training = _Plain(split, device, network, kappa if self.penalty == "l1" else 0.0)
        recipe = SelectingRecipe(rate, self.max_steps, self.patience, self.clip_norm)
        captured = training.fit(network, optimizers.build("sgd", groups, rate, momentum=0.9), recipe)
        return scored({"kappa": kappa, "learning_rate": rate}, *captured, split, training.curve)


class _Plain(SelectingTraining):
    """A network of one hidden layer, the L1 penalty, if any, in its loss."""

    def __init__(self, split: Split, device: str, network: Mlp, l1_kappa: float):
        super().__init__(split, device)
        self.network, self.l1_kappa = network, l1_kappa

    def loss(self, network: Mlp, batch) -> Tensor:
        """Mean cross entropy + 2 kappa |W_1|_1."""
        x, y = batch
        value = nn.functional.cross_entropy(network(x), y)
        return value + 2 * self.l1_kappa * network.hidden.weight.abs().sum() if self.l1_kappa else value

    def answers(self, x: Tensor) -> Tensor:
        return self.network(x).argmax(dim=1)

    def compact(self) -> None:
        """Nothing: what seems dead may come back."""

    @torch.no_grad()
    def capture(self):
        """(features, the largest weights first; logits) of the network as it is now."""
        norms = self.network.hidden.weight.norm(dim=0)
        order = torch.argsort(-norms, stable=True)[: int((norms > _ZERO).sum())]
        features = order.cpu().numpy()
        first = self.network.hidden.weight[:, order].T.cpu()
        first_bias, out, out_bias = (
            tensor.detach().cpu().clone()
            for tensor in (self.network.hidden.bias, self.network.output.weight, self.network.output.bias)
        )

        @torch.no_grad()
        def decide(X: np.ndarray) -> np.ndarray:
            x = torch.from_numpy(np.ascontiguousarray(X[:, features], dtype=np.float32))
            return (torch.relu(x @ first + first_bias) @ out.T + out_bias).numpy()

        return features, decide
