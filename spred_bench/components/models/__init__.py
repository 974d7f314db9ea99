"""Networks, one file each, with a class `Model`: plain torch modules that know nothing of sparsity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator, nn


class BaseModel(ABC):
    """What tasks ask of every model.

    has_hidden_layer: one hidden layer, whose nodes `task=node_sparsity` counts. Such a component has the number of the
    nodes, `hidden`, and `stack`; its network has `hidden`, `output`, `hidden_values` and `keep` of models/mlp.py.
    """

    has_hidden_layer = False

    @property
    def keys(self) -> Mapping:
        """Columns of the records that describe the network, such as `width`."""
        return {}

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int, generator: Generator) -> nn.Module:
        """One network, drawn from the generator alone: images (batch, *shape), floats, to logits (batch, n_classes)."""

    def stack(self, networks: list[nn.Module]) -> nn.Module:
        """The networks as one module, to be trained together; see models/stacked.py."""
        raise NotImplementedError(f"{type(self).__module__} trains one network at a time")
