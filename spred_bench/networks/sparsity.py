"""How sparse a network is: counted on effective weights, never on factors, every threshold an argument.

A weight is zero where `|w| <= threshold`. A group is zero where its root mean square is, so that one threshold serves
groups of every size.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spred_bench.redundancy import effective_weights
from spred_bench.redundancy.product import Product


def weights_of(model: nn.Module, with_vectors: bool = False) -> dict[str, Tensor]:
    """{name: effective weight} of the parameters of two dimensions or more; `with_vectors` adds biases and the like."""
    found = {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if ".parametrizations." not in f".{name}" and (with_vectors or parameter.ndim >= 2)
    }
    computed = {name: w for name, w in _computed(model).items() if with_vectors or w.ndim >= 2}
    return {**found, **computed}


def _computed(model: nn.Module) -> dict[str, Tensor]:
    """{name: the weight the network uses} of all that are computed: products (tied ones once), soft thresholds."""
    products = effective_weights(model)
    lists = {
        f"{prefix}.{name}".lstrip("."): (module, name)
        for prefix, module in model.named_modules()
        if parametrize.is_parametrized(module)
        for name, parametrizations in module.parametrizations.items()
        if not isinstance(parametrizations[0], Product)
    }
    return {**products, **{name: getattr(*place).detach() for name, place in lists.items()}}


def n_parameters(model: nn.Module) -> int:
    """Numbers that make up the model, biases included; a redundant weight counts once."""
    return sum(weight.numel() for weight in weights_of(model, with_vectors=True).values())


def n_zeros(weights: Iterable[Tensor], threshold: float) -> int:
    """Elements with |w| <= threshold, over all tensors."""
    return sum(int((weight.abs() <= threshold).sum()) for weight in weights)


def weight_sparsity(weights: Iterable[Tensor], threshold: float) -> float:
    """Fraction of elements with |w| <= threshold, over all tensors."""
    weights = list(weights)
    return n_zeros(weights, threshold) / sum(weight.numel() for weight in weights)


def compression_ratio(weights: Iterable[Tensor], threshold: float) -> float:
    """All elements over those that are not zero; infinite where all are zero."""
    weights = list(weights)
    total = sum(weight.numel() for weight in weights)
    left = total - n_zeros(weights, threshold)
    return total / left if left else float("inf")


def dead_nodes(outgoing: Tensor, threshold: float) -> Tensor:
    """(hidden,) mask by the paper's definition: the mean magnitude of a column of `outgoing` (out, hidden) is below
    `threshold` (1e-4 there)."""
    return outgoing.abs().mean(0) < threshold


def node_strengths(incoming: Tensor, outgoing: Tensor) -> Tensor:
    """(hidden,) product of the norms of each node's incoming (hidden, in) and outgoing (out, hidden) weights.

    It is what the L1 penalty on nodes acts on, and no rescaling between the two layers changes it.
    """
    return incoming.norm(dim=1) * outgoing.norm(dim=0)


def dead_nodes_relative(incoming: Tensor, outgoing: Tensor, ratio: float, floor: float) -> Tensor:
    """(hidden,) mask, scale-free: strength at most `ratio` of the largest node's, or at most `floor`.

    The floor settles the network in which every node has died; the largest of them is no measure of anything.
    """
    strengths = node_strengths(incoming, outgoing)
    return strengths <= max(ratio * strengths.max().item(), floor)


def effective_rank(values: Tensor) -> float:
    """exp of the entropy of the normalised singular values (Roy & Vetterli 2007) of `values` (samples, features).

    Columns are not centred. 0 for a matrix of zeros. Of many samples through the Gram matrix, which sees
    singular values down to 1e-8 of the largest.
    """
    values = values.double()
    if values.shape[0] > values.shape[1]:
        singular = torch.linalg.eigvalsh(values.T @ values).clamp_min(0).sqrt()
    else:
        singular = torch.linalg.svdvals(values)
    total = singular.sum()
    if not total > 0:
        return 0.0
    shares = singular / total
    return torch.special.entr(shares).sum().exp().item()
