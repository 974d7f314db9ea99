"""Diagnostics of the factors during training: their distance from balance, and the weights whose sign is locked."""

import torch
from torch import Tensor, nn

from spred_bench.redundancy.selection import redundant_places
from spred_bench.redundancy.starts import group_norm


@torch.no_grad()
def imbalance(model: nn.Module) -> dict[str, float]:
    """Return parameter name -> `mean |u^2 - v^2| / mean (u^2 + v^2)`: 0 balanced, 1 far off.

    It is 0 at every minimum (Theorem 1). While it is large, the penalty acts as plain weight decay instead
    of L1. Depth D: between the largest and the smallest factor. Grouped: between the scalar and the group's
    norm.
    """
    result = {}
    for name, sizes in _sizes(model).items():
        squares = sizes.double().square()
        largest, smallest = squares.amax(0), squares.amin(0)
        total = (largest + smallest).mean()
        result[name] = ((largest - smallest).mean() / total).item() if total > 0 else 0.0
    return result


@torch.no_grad()
def sign_locked(model: nn.Module) -> dict[str, int]:
    """Return parameter name -> number of weights (groups) whose two smallest factors are equal in size.

    Equal to rounding. Gradient descent keeps them so, and their product cannot pass through zero: ask at
    the start. At the end of a converged run every factor is balanced and the count says nothing.
    """
    counts = {}
    for name, sizes in _sizes(model).items():
        smallest, second = sizes.sort(0).values[:2]
        counts[name] = int((second - smallest <= 4 * torch.finfo(sizes.dtype).eps * second).sum())
    return counts


def _sizes(model: nn.Module) -> dict[str, Tensor]:
    """Return parameter name -> `[D, ...]` sizes of the factors of every weight or group."""
    sizes = {}
    for name, [(module, attribute), *_] in redundant_places(model).items():
        factors = module.parametrizations[attribute]
        *gates, last = factors.parameters()
        sizes[name] = torch.stack([*(gate.abs() for gate in gates), group_norm(last, factors[0].dims)])
    return sizes
