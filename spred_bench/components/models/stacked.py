"""Networks of one shape as one module: a batch goes through all of them in a few large products.

Parameters carry the network along their first dimension and keep the names of a single network. What is computed for
one network does not depend on the others, so that each follows the path it would follow alone, up to rounding.
"""

import copy

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """K linear layers: weight (K, out, in), bias (K, out). Batches stand in the last dimension: that is faster."""

    def __init__(self, layers: list[nn.Linear]):
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        biased = layers[0].bias is not None
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers])) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        """(in, batch) shared by all, or (K, in, batch), to (K, out, batch)."""
        weight = self.weight  # read once: it may be a product
        if x.ndim == 2:
            values = (weight.flatten(0, 1) @ x).unflatten(0, weight.shape[:2])
        else:
            values = weight @ x
        return values if self.bias is None else values + self.bias[:, :, None]


class StackedMlp(nn.Module):
    """K networks of one hidden layer: images (batch, *shape), the same for all, to logits (K, batch, n_classes)."""

    def __init__(self, networks: list[nn.Module]):
        super().__init__()
        self._single = [networks[0]]  # in a list: its parameters are not ours
        self.hidden = StackedLinear([network.hidden for network in networks])
        self.activation = networks[0].activation
        self.output = StackedLinear([network.output for network in networks])

    def forward(self, images: Tensor) -> Tensor:
        x = self._single[0].inputs(images).T
        return self.output(self.activation(self.hidden(x))).mT

    @torch.no_grad()
    def unstack(self) -> list[nn.Module]:
        """The single networks, with weights of their own."""
        networks = []
        for k in range(len(self.hidden.weight)):
            network = copy.deepcopy(self._single[0]).to(self.hidden.weight.device)
            for name, parameter in network.named_parameters():
                parameter.copy_(self.get_parameter(name)[k])
            networks.append(network)
        return networks
