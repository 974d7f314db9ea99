"""Algorithms 1 and 2: turn weights of any torch module into products of factors, in place, and back."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from spred_bench.redundancy.pickling import reduce
from spred_bench.redundancy.product import Product
from spred_bench.redundancy.selection import Choice, choose, redundant_places, shared_dims
from spred_bench.redundancy.starts import STARTS, group_norm


def reparametrize(
    model: nn.Module,
    names: str | Sequence[str] | None = None,
    *,
    types: type | tuple[type, ...] | None = None,
    exclude: str | Sequence[str] = (),
    depth: int = 2,
    group: str | int | Sequence[int] | None = None,
    init: str = "off_balance",
    generator: Generator | None = None,
) -> list[str]:
    """Make weights of a model redundant, in place, and return their names; `layer.weight` is the product.

    With nothing but the model: every `weight` of every linear and (transposed) convolution layer, element
    by element. Build the optimizer afterwards, from `parameter_groups(model, kappa=...)`: the factors are
    new parameters.

    names: one glob or several on qualified names (`"layer4.*.weight"`); then any parameter of any module
        will do.
    types: module types instead of the default ones, or restricting `names`.
    exclude: globs taken out of the choice.
    depth: number of factors D; the penalty is then `kappa D sum |w|^(2/D)`, non-convex in w beyond 2.
    group: dimensions along which one scalar is shared (Algorithm 2; Theorem 4): the penalty is `2 kappa`
        times the sum of the groups' Euclidean norms. "output" is one group per output unit or filter,
        "input" one per input unit; `(0,)` on a `[B, p]` tensor one per column.
    init: how the factors start (see `starts`). "off_balance" (default) keeps the weights, hence the outputs
        up to rounding, and can change signs. "independent" redraws them as independent Gaussian factors of
        the same product variance, for training from scratch. "unit" keeps w bit for bit as 1 * w: slow to
        sparsify. "balanced" keeps w but locks every sign: for demonstrations only.
    generator: randomness of "independent"; the global generator without it.

    Tied parameters stay tied: all places share the same factors. Frozen parameters are left as they are.
    Type and device are kept. Raises ValueError, the model untouched, for a pattern that matches nothing and
    for a parameter that is already redundant, carries another parametrization, is read past it (recurrent
    layers), or is all frozen.
    """
    if init not in STARTS:
        raise ValueError(f"init='{init}' is unknown; use one of {', '.join(STARTS)}")
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 2:
        raise ValueError(f"depth={depth!r} must be an integer of 2 or more")
    choices = choose(model, names, types, exclude)
    products = [_plan(choice, depth, group, init, generator) for choice in choices]
    for choice, product in zip(choices, products, strict=True):
        _install(choice, product)
    return [choice.name for choice in choices]


@torch.no_grad()
def merge(model: nn.Module, threshold: float = 0.0) -> nn.Module:
    """Turn every redundant weight back into a plain parameter, in place, with exact zeros; return the model.

    Weights with `|w| <= threshold` become zero; of a grouped weight, the groups whose root mean square is
    <= threshold (the mean, so that one threshold serves groups of every size). Threshold 0 leaves every
    weight bit for bit. A weight is trainable if any of its factors is. Build a new optimizer afterwards.

    Raises ValueError when nothing is redundant or the threshold is negative.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold={threshold} must be >= 0")
    everything = redundant_places(model)
    if not everything:
        raise ValueError("nothing in this model is redundant; call reparametrize(model) first")
    for places in everything.values():
        module, attribute = places[0]
        factors = module.parametrizations[attribute]
        weight = factors()
        norm = group_norm(weight, factors[0].dims)
        rms = norm * (norm.numel() / weight.numel()) ** 0.5
        weight = torch.where(rms <= threshold, 0.0, weight) if threshold > 0 else weight
        plain = nn.Parameter(weight, requires_grad=any(factor.requires_grad for factor in factors.parameters()))
        for module, attribute in places:
            _own_class(module)
            parametrize.remove_parametrizations(module, attribute)
            delattr(module, attribute)
            module.register_parameter(attribute, plain)
    return model


@torch.no_grad()
def effective_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return original parameter name -> detached effective weight, for the redundant parameters alone.

    Tied weights appear once, under their first name. Empty when nothing is redundant.
    """
    return {
        name: getattr(module, attribute).detach() for name, [(module, attribute), *_] in redundant_places(model).items()
    }


@torch.no_grad()
def magnitudes(model: nn.Module) -> dict[str, Tensor]:
    """Return original parameter name -> magnitude of each effective weight, of each group its root mean square.

    Shapes are those of the gates: dimensions that a group extends along have size 1.
    """
    found = {}
    for name, [(module, attribute), *_] in redundant_places(model).items():
        weight, dims = getattr(module, attribute), module.parametrizations[attribute][0].dims
        norm = group_norm(weight, dims)
        found[name] = norm * (norm.numel() / weight.numel()) ** 0.5
    return found


def factors_of(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return original parameter name -> its factors, gates first; tied weights once."""
    everything = redundant_places(model)
    return {
        name: list(module.parametrizations[attribute].parameters())
        for name, [(module, attribute), *_] in everything.items()
    }


def _plan(choice: Choice, depth: int, group, init: str, generator) -> Product:
    """Compute the factors of one parameter without touching the model."""
    try:
        dims = shared_dims(choice.places[0][0], choice.weight, group)
        with torch.no_grad():
            factors = STARTS[init](choice.weight.detach(), depth, dims, generator)
        return Product(depth, dims, tuple(factors))
    except ValueError as error:
        raise ValueError(f"'{choice.name}' {error}") from None


def _install(choice: Choice, product: Product) -> None:
    """Register the product at every place that holds the parameter, with one set of factors for all."""
    shared = None
    for module, attribute in choice.places:
        _own_class(module)
        parametrize.register_parametrization(module, attribute, product)
        _own_class(module)  # torch has made a new class
        shared = shared or module.parametrizations[attribute]
        module.parametrizations[attribute] = shared


def _own_class(module: nn.Module) -> None:
    """Give a parametrized module a class of its own.

    torch keeps the `weight` property on a class made for the module, which copies by `deepcopy` share:
    adding or removing a parametrization on one copy would break the other. A redundant module can be pickled.
    """
    if parametrize.is_parametrized(module):
        shared = type(module)
        module.__class__ = type(shared.__name__, shared.__bases__, {**shared.__dict__, "__reduce_ex__": reduce})
