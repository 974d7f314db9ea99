"""The two models of Eq. (8) behind one input layer: f_l, linear without bias, and f_n, a ReLU network."""

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn


class TwoHeads(nn.Module):
    """x (n, d) to logits (heads, n, classes): f_l's, then f_n's unless `hidden` is empty.

    `first.weight` (classes + hidden[0], d) is W_l above W_n, so that what acts on its columns acts on both: one scalar
    a column is the mask U. Weights start uniform within 1 / sqrt(fan in), torch's own scale.
    """

    def __init__(self, n_inputs: int, n_classes: int, hidden: list[int], generator: Generator | None = None):
        super().__init__()
        self.n_classes = n_classes
        self.first = nn.Linear(n_inputs, n_classes + sum(hidden[:1]), bias=False)
        self.bias = nn.Parameter(torch.zeros(sum(hidden[:1])))
        sizes = [*hidden, n_classes]
        self.rest = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        with torch.no_grad():
            for layer in (self.first, *self.rest):
                bound = layer.in_features**-0.5
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(self.first(x))

    def heads(self, z: Tensor) -> Tensor:
        """Logits from the first layer's output z (n, classes + hidden[0])."""
        linear, values = z[:, : self.n_classes], z[:, self.n_classes :] + self.bias
        if not self.rest:
            return linear[None]
        for layer in self.rest:
            values = layer(torch.relu(values))
        return torch.stack([linear, values])
