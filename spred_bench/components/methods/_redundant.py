"""Groups for the optimizer of a redundant network, as the methods of spred need them."""

from torch import nn

from spred_bench import redundancy


def groups_of(network: nn.Module, kappa, weight_decay: float, lr_multiplier: float) -> list[dict]:
    """Groups of a redundant network; kappa may be a tensor with one value per network of a stack."""
    factors, *others = redundancy.parameter_groups(network, kappa=0.0, weight_decay=weight_decay)
    return [{**factors, "weight_decay": 2 * kappa, "lr_multiplier": lr_multiplier}, *others]
