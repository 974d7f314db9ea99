"""Masks {name: bool tensor} of the weights that stay: ranked over the whole network, and held during training."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

Masks = dict[str, Tensor]


def keep_largest(scores: Mapping[str, Tensor], n_kept: int) -> Masks:
    """Up to `n_kept` elements of the largest scores over all tensors, never one with score 0.

    What ties with the first one left out goes too, so that a group whose elements share a score stays or goes whole.
    """
    flat = torch.cat([score.flatten() for score in scores.values()])
    n_dropped = max(len(flat) - n_kept, 0)
    border = flat.kthvalue(n_dropped).values.clamp_min(0) if n_dropped else 0.0
    return {name: score > border for name, score in scores.items()}


def compressed(scores: Mapping[str, Tensor], ratio: float) -> Masks:
    """Keep the one in `ratio` elements with the largest scores."""
    return keep_largest(scores, round(sum(score.numel() for score in scores.values()) / ratio))


def above(scores: Mapping[str, Tensor], threshold: float) -> Masks:
    """Keep the elements with a score above `threshold`."""
    return {name: score > threshold for name, score in scores.items()}


def shuffled(masks: Mapping[str, Tensor], generator: Generator) -> Masks:
    """Random masks of the same density in each layer."""
    return {
        name: mask.flatten()[torch.randperm(mask.numel(), generator=generator).to(mask.device)].view_as(mask)
        for name, mask in masks.items()
    }


@torch.no_grad()
def apply(network: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set what is masked to zero."""
    for name, mask in masks.items():
        network.get_parameter(name).mul_(mask)


def hold(network: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set what is masked to zero and keep it there in training: masked gradients are zero, and zero does not decay."""
    apply(network, masks)
    for name, mask in masks.items():
        network.get_parameter(name).register_post_accumulate_grad_hook(_masker(mask))


def _masker(mask: Tensor):
    def mask_gradient(parameter: nn.Parameter) -> None:
        with torch.no_grad():
            parameter.grad.mul_(mask)

    return mask_gradient
