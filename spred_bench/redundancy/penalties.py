"""How a redundant model is trained: weight decay on the factors is the L1 penalty, if it is not decoupled."""

import inspect

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spred_bench.redundancy.parametrization import factors_of
from spred_bench.redundancy.selection import undecayed_names
from spred_bench.redundancy.strengths import nonnegative, weight_decay_from_kappa


def parameter_groups(
    model: nn.Module,
    *,
    kappa: float,
    weight_decay: float = 1e-4,
    lr: float | None = None,
    factor_lr_multiplier: float = 1.0,
) -> list[dict]:
    """Return optimizer groups whose weight decay is the penalty `2 kappa |w|_1` (Eq. (3)).

    "redundant": the factors, weight_decay `2 kappa` (total `kappa D sum |w|^(2/D)` at depth D, `2 kappa`
    times the sum of the groups' norms for grouped weights). "dense": the other weights, with the given
    small `weight_decay`: without any, they would grow to make up for the shrinking ones and the model
    diverge. "undecayed": biases and parameters of normalisation layers, 0. Empty groups are left out; every
    trainable parameter is in exactly one, no frozen one in any.

    lr: adds a learning rate to each group, times `factor_lr_multiplier` for the factors, which train best
    at about five times the dense rate under SGD. Raises ValueError when nothing is redundant, and for a
    kappa, weight_decay or multiplier that is negative or no number.
    """
    if factor_lr_multiplier != 1.0 and lr is None:
        raise ValueError("factor_lr_multiplier needs the base rate too; give lr")
    if not factor_lr_multiplier > 0:
        raise ValueError(f"factor_lr_multiplier={factor_lr_multiplier} must be above 0: the factors would not learn")
    factors = {id(factor) for group in _redundant(model).values() for factor in group}
    decay = {
        "redundant": weight_decay_from_kappa(kappa),
        "dense": nonnegative("weight_decay", weight_decay),
        "undecayed": 0.0,
    }
    members: dict[str, list[nn.Parameter]] = {kind: [] for kind in decay}
    undecayed = undecayed_names(model)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            plain = "undecayed" if name in undecayed else "dense"
            members["redundant" if id(parameter) in factors else plain].append(parameter)
    groups = [
        {"name": kind, "params": parameters, "weight_decay": decay[kind]}
        for kind, parameters in members.items()
        if parameters
    ]
    for group in groups if lr is not None else ():
        group["lr"] = lr * (factor_lr_multiplier if group["name"] == "redundant" else 1.0)
    return groups


def penalty(model: nn.Module, kappa: float | Tensor) -> Tensor:
    """Return `kappa sum (|u|^2 + |v|^2)` over all factors, differentiable: the term of Eq. (3) to add.

    For optimizers without weight decay (L-BFGS); with weight decay as well it would count twice. A tensor
    kappa must broadcast against every factor, e.g. `[B, 1]` for B problems stacked in a `[B, p]` weight.
    Raises ValueError for a kappa that is negative or no number; the values of a tensor are not looked at.
    """
    if not isinstance(kappa, Tensor):
        nonnegative("kappa", kappa)
    terms = [(kappa * factor.square()).sum() for group in _redundant(model).values() for factor in group]
    return torch.stack(terms).sum()


def check_optimizer(optimizer: Optimizer, model: nn.Module) -> None:
    """Refuse an optimizer whose weight decay on this model's factors is not the L1 penalty.

    Raises ValueError, one line each: a factor is not in the optimizer, has no or zero decay, or the decay
    is decoupled from the gradient (AdamW and its kind), which shrinks every weight at the same rate and so
    penalises something else. Whether it is decoupled is found by trying one step, hence for any optimizer
    class. Needless with `penalty`.
    """
    kind = type(optimizer).__name__
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for name, factors in _redundant(model).items():
        for factor in factors:
            group = group_of.get(id(factor))
            if group is None and factor.requires_grad:
                raise ValueError(f"{kind} does not hold the factors of '{name}'; build it after reparametrize")
            if group is None:
                continue
            # Asked of the class: a group keeps a key that its optimizer never reads.
            if "weight_decay" not in inspect.signature(type(optimizer)).parameters:
                raise ValueError(f"{kind} takes no weight_decay; add penalty(model, kappa) to the loss instead")
            if not group["weight_decay"] > 0:
                raise ValueError(f"weight_decay is {group['weight_decay']} on '{name}': no penalty; use 2 * kappa")
            if group.get("decoupled_weight_decay") or not _is_gradient_of_a_penalty(optimizer, group):
                raise ValueError(f"{kind} decouples weight decay from the gradient: not an L1 penalty; use SGD or Adam")


def _is_gradient_of_a_penalty(optimizer: Optimizer, group: dict) -> bool:
    """Tell whether decay 1/2 at w = 1 moves a weight as the gradient 1/2 does."""

    accepted = inspect.signature(type(optimizer)).parameters
    # maximize turns the loss's gradient around, never the decay: penalised all the same.
    options = {key: value for key, value in group.items() if key in accepted and key not in ("params", "maximize")}

    def moved(decay: float, gradient: float) -> Tensor:
        weight = nn.Parameter(torch.ones(2, 2, device=group["params"][0].device))
        weight.grad = torch.full_like(weight, gradient)
        type(optimizer)([weight], **{**options, "lr": 0.1, "weight_decay": decay}).step()
        return weight.detach()

    return torch.allclose(moved(0.5, 0.25), moved(0.0, 0.75))


def _redundant(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    factors = factors_of(model)
    if not factors:
        raise ValueError("nothing in this model is redundant; call reparametrize(model) first")
    return factors
