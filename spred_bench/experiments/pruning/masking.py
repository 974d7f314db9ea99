"""What is pruned: the masks of one stage, from the scores of the method."""

import copy

from torch import nn

from spred_bench.networks import masks


def pruned(
    network: nn.Module, method, compression: float | None = None, threshold: float | None = None
) -> tuple[nn.Module, masks.Masks]:
    """A pruned copy of `network`, and the masks of what stays of it.

    By compression or by threshold; a network pruned at its initialisation keeps what it has.
    """
    scores = method.scores(network)
    if method.prunes_at_start:
        kept = masks.above(scores, 0.0)
    elif threshold is not None:
        kept = masks.above(scores, threshold)
    else:
        kept = masks.compressed(scores, compression)
    network = copy.deepcopy(network)
    masks.apply(network, kept)
    return network, kept
