"""One hidden layer, f(x) = W2 act(W1 x) (paper, section 5.1): `hidden.weight` is W1, `output.weight` is W2."""

import copy
import math
from typing import ClassVar, Literal

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor, nn

from spred_bench.components.contract import component
from spred_bench.components.models import BaseModel
from spred_bench.components.models.stacked import StackedMlp

# Each is zero at zero, so that a node without incoming weights is silent.
ACTIVATIONS = {"relu": nn.ReLU, "swish": nn.SiLU, "tanh": nn.Tanh, "gelu": nn.GELU}


@component
class Model(BaseModel):
    """hidden: number of nodes.  bias: `input` appends a one to x, whose weights are part of W1 (the paper's way),
    `usual` gives both layers a bias of their own, `none` leaves it out."""

    hidden: PositiveInt = 1000
    activation: Literal["relu", "swish", "tanh", "gelu"] = "relu"
    bias: Literal["input", "usual", "none"] = "input"

    has_hidden_layer: ClassVar = True

    @property
    def keys(self) -> dict:
        """Columns of the records that describe the network."""
        return {"activation": self.activation, "bias": self.bias, "hidden": self.hidden}

    def build(self, shape: tuple[int, ...], n_classes: int, generator: Generator) -> "Mlp":
        """One network, its weights uniform within 1 / sqrt(fan in), torch's own scale."""
        return Mlp(math.prod(shape), self.hidden, n_classes, self.activation, self.bias, generator)

    def stack(self, networks: list["Mlp"]) -> StackedMlp:
        """The networks as one module, to be trained together."""
        return StackedMlp(networks)


class Mlp(nn.Module):
    """The network; images of any shape are flattened."""

    def __init__(
        self, n_inputs, hidden, n_classes, activation="relu", bias="input", generator: Generator | None = None
    ):
        super().__init__()
        self.bias = bias
        self.hidden = nn.Linear(n_inputs + (bias == "input"), hidden, bias=bias == "usual")
        self.activation = ACTIVATIONS[activation]()
        self.output = nn.Linear(hidden, n_classes, bias=bias == "usual")
        with torch.no_grad():
            for layer in (self.hidden, self.output):
                bound = layer.in_features**-0.5 if layer.in_features else 0.0
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def inputs(self, images: Tensor) -> Tensor:
        """(batch, n_inputs): flattened, with the one of `bias=input`."""
        x = images.flatten(1)
        return nn.functional.pad(x, (0, 1), value=1.0) if self.bias == "input" else x

    def hidden_values(self, images: Tensor) -> Tensor:
        """What the nodes say, (batch, hidden)."""
        return self.activation(self.hidden(self.inputs(images)))

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.hidden_values(images))

    @torch.no_grad()
    def keep(self, nodes: Tensor) -> "Mlp":
        """A smaller network of the hidden `nodes` (a mask) alone.

        Its outputs are the same if the others have no incoming or no outgoing weights: what such a node says, act(b1),
        does not depend on the image and goes into the output's bias.
        """
        small = copy.deepcopy(self)
        small.hidden = _linear(self.hidden.weight[nodes], None if self.hidden.bias is None else self.hidden.bias[nodes])
        bias = self.output.bias
        if bias is not None:
            bias = bias + self.output.weight[:, ~nodes] @ self.activation(self.hidden.bias[~nodes])
        small.output = _linear(self.output.weight[:, nodes], bias)
        return small


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A layer of these weights; it may have no inputs or no outputs, which torch's own start warns about."""
    layer = nn.Linear(1, 1, bias=bias is not None)
    layer.out_features, layer.in_features = weight.shape
    layer.weight = nn.Parameter(weight.clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone())
    return layer
