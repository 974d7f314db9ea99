"""f_l, or f_l and f_n behind one mask U, by SGD with weight decay 2 kappa (Eq. (8)).

    min  CE(f_l(W_l (U * x))) + CE(f_n(W_n (U * x))) + kappa (|W_l|^2 + |W_n|^2 + |U|^2)

U and (W_l, W_n) are the two factors of the first layer, one scalar per input: a penalty 2 kappa times the norm of each
input's weights in both models (Theorem 3). The classes' probabilities are the means of those of the two models.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from spred_bench.estimators.selecting import SelectingRecipe, SelectingTraining, cut_inputs
from spred_bench.estimators.two_heads import TwoHeads
from spred_bench.redundancy import parameter_groups, reparametrize
from spred_bench.training import optimizers

# An input with a smaller norm has no part in any logit: it is cut during training and zero at the end.
_DEAD = 1e-8


def train_jointly(
    arrays: Sequence[np.ndarray],
    n_classes: int,
    hidden: Sequence[int],
    kappa: float,
    recipe: SelectingRecipe,
    *,
    weight_decay: float = 1e-5,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray], list[tuple[int, float, float]]]:
    """(features (k,), the largest weights first; X (m, d) to log-probabilities (m, C); the training's curve).

    arrays: X_train, y_train, X_dev, y_dev, see `SelectingTraining`.  hidden: sizes of f_n's hidden layers, empty for
    f_l alone.  weight_decay: of f_n's other layers.  The curve holds (step, loss, dev accuracy).
    """
    generator = torch.Generator().manual_seed(seed)
    network = TwoHeads(arrays[0].shape[1], n_classes, list(hidden), generator)
    reparametrize(network, "first.weight", group="input", init="independent", generator=generator)
    network.to(device)
    groups = parameter_groups(network, kappa=kappa, weight_decay=weight_decay)
    optimizer = optimizers.build("sgd", groups, recipe.learning_rate, momentum=0.9)
    training = _Masked(arrays, device, network, optimizer, kappa)
    features, decide = training.fit(network, optimizer, recipe)
    return features, decide, training.curve


class _Masked(SelectingTraining):
    """Eq. (8) on one split. columns (k,): the inputs still in the network."""

    def __init__(self, arrays, device: str, network: TwoHeads, optimizer, kappa: float):
        super().__init__(arrays, device)
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
