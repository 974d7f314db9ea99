"""Plain weight decay on every weight: an L1 penalty on the nodes between two consecutive layers (section 5.1).

kappa (|W1|^2 + |W2|^2) is kappa sum_j (a_j^2 + b_j^2), where a_j and b_j are the norms of node j's outgoing and
incoming weights, and that has the minima of 2 kappa sum_j |a_j b_j| (Eq. (10)).
"""

from typing import ClassVar

from torch import nn

from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod
from spred_bench.training.optimizers import split_parameters


@component
class Method(BaseMethod):
    """decay_biases: also vectors named bias and normalisation; the paper counts them as weights of a constant input."""

    decay_biases: bool = False

    strengths: ClassVar = (2.5e-4, 2.5e-3)
    stacks: ClassVar = True

    def prepare(self, network: nn.Module, generator=None) -> None:
        """Nothing: the redundancy is there already."""

    def parameter_groups(self, network: nn.Module, kappa) -> list[dict]:
        """Weights with decay 2 kappa, biases and normalisation apart."""
        weights, biases = split_parameters(network)
        groups = [
            {"params": weights, "weight_decay": 2 * kappa},
            {"params": biases, "weight_decay": 2 * kappa if self.decay_biases else 0.0},
        ]
        return [group for group in groups if group["params"]]

    def finalize(self, network: nn.Module, threshold: float = 0.0) -> nn.Module:
        """As it is: plain decay gives small weights, and who calls them zero is the task."""
        return network
