"""Optimizers for parameter groups whose coupled weight decay may differ from network to network in a stack."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spred_bench.redundancy.selection import undecayed_names

KINDS = ("adam", "sgd")


def build(kind: str, groups: Sequence[dict], lr: float, momentum: float = 0.9) -> Optimizer:
    """Adam, or SGD with momentum, on `groups`, each with `weight_decay`: a number, or one per network of a stack.

    The decay is part of the gradient, `g + weight_decay * p`, hence a penalty `weight_decay / 2 |p|^2`. torch takes
    numbers only: for a tensor of shape (K,) a hook adds it to the gradients of parameters (K, ...), the same sum.
    A group with `lr_multiplier` gets that many times `lr`.
    """
    prepared = []
    for group in groups:
        decay = group["weight_decay"]
        if isinstance(decay, Tensor):
            for parameter in group["params"]:
                _decay_each(parameter, decay)
            decay = 0.0
        rest = {key: value for key, value in group.items() if key != "lr_multiplier"}
        prepared.append({**rest, "weight_decay": decay, "lr": lr * group.get("lr_multiplier", 1.0)})
    if kind == "adam":
        return torch.optim.Adam(prepared, lr=lr, fused=True)
    if kind == "sgd":
        return torch.optim.SGD(prepared, lr=lr, momentum=momentum, fused=True)
    raise ValueError(f"optimizer={kind}: expected one of {', '.join(KINDS)}")


def split_parameters(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(weights, the rest): the rest are biases and the parameters of normalisation layers."""
    undecayed = undecayed_names(network)
    weights, rest = [], []
    for name, parameter in network.named_parameters():
        (rest if name in undecayed else weights).append(parameter)
    return weights, rest


def per_network(kappa: float | Tensor, parameter: Tensor) -> float | Tensor:
    """A number as it is; one value per network in the shape (K, 1, ...) that multiplies `parameter` (K, ...)."""
    return kappa.view(-1, *[1] * (parameter.ndim - 1)) if isinstance(kappa, Tensor) else kappa


def _decay_each(parameter: nn.Parameter, decay: Tensor) -> None:
    strength = per_network(decay.to(parameter), parameter)

    def add_decay(parameter: nn.Parameter) -> None:
        with torch.no_grad():
            parameter.grad.addcmul_(parameter, strength)

    parameter.register_post_accumulate_grad_hook(add_decay)
