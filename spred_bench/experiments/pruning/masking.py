"""What is pruned, and why: scores of a plain network, and the masks of one stage."""

import copy

from torch import Tensor, nn

from spred_bench.networks import masks, sparsity


def scores_of(network: nn.Module, method) -> dict[str, Tensor]:
    """What a plain network is pruned by: magnitudes, or what the method has instead."""
    if hasattr(method, "scores"):
        return method.scores(network)
    return {name: weight.abs() for name, weight in sparsity.weights_of(network).items()}


def pruned(
    network: nn.Module, method, compression: float | None = None, threshold: float | None = None
) -> tuple[nn.Module, masks.Masks]:
    """A pruned copy of `network`, and the masks of what stays of it.

    By compression or by threshold; a network pruned at its initialisation keeps what it has.
    """
    scores = scores_of(network, method)
    if hasattr(method, "masks"):
        kept = masks.above(scores, 0.0)
    elif threshold is not None:
        kept = masks.above(scores, threshold)
    else:
        kept = masks.compressed(scores, compression)
    network = copy.deepcopy(network)
    masks.apply(network, kept)
    return network, kept
