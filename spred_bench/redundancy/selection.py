"""The choice of parameters to make redundant, by name or module type; a wrong choice is refused before any change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from numbers import Integral

import torch
from torch import nn
from torch.nn.utils import parametrize

from spred_bench.redundancy.product import Product

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
DEFAULT_TYPES = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)


@dataclass
class Choice:
    """A tensor to make redundant: its first name, itself, and every (module, attribute) that holds it."""

    name: str
    weight: nn.Parameter
    places: list[tuple[nn.Module, str]] = field(default_factory=list)


def choose(
    model: nn.Module,
    names: str | Sequence[str] | None,
    types: type | tuple[type, ...] | None,
    exclude: str | Sequence[str],
) -> list[Choice]:
    """Return the trainable parameters that match, one entry per tensor, in the model's order.

    Raises ValueError naming the parameter or pattern and the remedy; the model is only read.
    """
    places = _places(model)
    if names is None:
        kinds = DEFAULT_TYPES if types is None else types
        wanted = [
            name for name, (module, attribute) in places.items() if attribute == "weight" and isinstance(module, kinds)
        ]
        if not wanted:
            raise ValueError(f"no weight of a {_type_names(kinds)} in this model; name parameters, e.g. '*weight'")
    else:
        kinds = object if types is None else types
        pool = [name for name, (module, _) in places.items() if isinstance(module, kinds)]
        wanted = [name for pattern in _as_list(names) for name in _matching(pool, pattern, model)]
    dropped = {name for pattern in _as_list(exclude) for name in _matching(list(places), pattern, model)}
    wanted = [name for name in places if name in set(wanted) - dropped]
    if not wanted:
        raise ValueError(f"exclude={exclude!r} leaves no parameter to make redundant")

    choices: dict[int, Choice] = {}
    for name in wanted:
        _refuse_unfit(name, *places[name])
        weight = places[name][0]._parameters[places[name][1]]
        if weight.requires_grad:
            choices.setdefault(id(weight), Choice(name, weight))
    if not choices:
        raise ValueError(f"'{wanted[0]}' and all others chosen are frozen; call requires_grad_(True) on them first")
    _add_places(choices, places)
    return list(choices.values())


def shared_dims(module: nn.Module, weight: torch.Tensor, group: str | int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the dimensions along which one scalar is shared, `()` for one scalar per element.

    "output" is one group per output unit or filter, "input" one per input unit or channel; transposed
    convolutions store input channels first. Raises ValueError where a dimension does not exist.
    """
    if group is None:
        return ()
    if isinstance(group, str):
        if group not in ("output", "input"):
            raise ValueError(f"cannot take group='{group}'; use 'output', 'input' or dimensions")
        kept = int(group == "input") ^ int(isinstance(module, _TRANSPOSED))
        if weight.ndim < 2:
            raise ValueError(f"has {weight.ndim} dimension(s), so group='{group}' means nothing; give dimensions")
        return tuple(dim for dim in range(weight.ndim) if dim != kept)
    dims = tuple(group) if isinstance(group, Sequence) else (group,)
    if not dims or any(isinstance(dim, bool) or not isinstance(dim, Integral) for dim in dims):
        raise ValueError(f"cannot take group={group!r}; use 'output', 'input' or dimensions")
    if any(not -weight.ndim <= dim < weight.ndim for dim in dims):
        raise ValueError(f"has shape {tuple(weight.shape)}; group={group} names a dimension it lacks")
    return tuple(sorted({dim % weight.ndim for dim in dims}))


def undecayed_names(model: nn.Module) -> set[str]:
    """Return the names of the parameters that carry no penalty by default: biases, and all of normalisation layers.

    A bias has the word "bias" in the name of its attribute: `bias`, `in_proj_bias`, `bias_ih_l0`. A normalisation
    layer has "Norm" in the name of its class. A parametrized tensor counts under the name that it had before.
    """
    modules, found = dict(model.named_modules()), set()
    for name, _ in model.named_parameters():
        owner, _, attribute = name.rpartition(".")
        if ".parametrizations." in f".{name}":  # owner.parametrizations.attribute.original0
            owner, _, rest = f".{name}".rpartition(".parametrizations.")
            owner, attribute = owner.removeprefix("."), rest.partition(".")[0]
        if "bias" in attribute.split("_") or "Norm" in type(modules[owner]).__name__:
            found.add(name)
    return found


def redundant_places(model: nn.Module) -> dict[str, list[tuple[nn.Module, str]]]:
    """Return first name -> every (module, attribute) of each redundant parameter; tied ones in one entry."""
    found: dict[int, tuple[str, list]] = {}
    for name, (module, attribute) in _places(model).items():
        if parametrize.is_parametrized(module, attribute):
            factors = module.parametrizations[attribute]
            if isinstance(factors[0], Product):
                found.setdefault(id(factors), (name, []))[1].append((module, attribute))
    return dict(found.values())


def _places(model: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """Return qualified name -> (module, attribute) of all parameters, parametrized and tied ones included.

    A module reached by two paths is listed once, under its first: what is done to it holds for both.
    """
    places = {}
    for prefix, module in model.named_modules():
        if isinstance(module, parametrize.ParametrizationList) or ".parametrizations" in f".{prefix}":
            continue
        own = [name for name, value in module._parameters.items() if value is not None]
        parametrized = list(module.parametrizations) if parametrize.is_parametrized(module) else []
        hidden = ["weight"] if isinstance(module, DEFAULT_TYPES) else []  # held by older weight-norm hooks
        for attribute in dict.fromkeys(hidden + own + parametrized):
            places[f"{prefix}.{attribute}" if prefix else attribute] = (module, attribute)
    return places


def _matching(pool: list[str], pattern: str, model: nn.Module) -> list[str]:
    matched = [name for name in pool if fnmatchcase(name, pattern)]
    if not matched:
        known = ", ".join(pool[:3]) or "none"
        raise ValueError(f"'{pattern}' matches no parameter of {type(model).__name__}; names look like {known}")
    return matched


def _refuse_unfit(name: str, module: nn.Module, attribute: str) -> None:
    """Raise ValueError, naming the remedy, where a product of factors cannot take the parameter's place."""
    if parametrize.is_parametrized(module, attribute):
        if isinstance(module.parametrizations[attribute][0], Product):
            raise ValueError(f"'{name}' is already redundant; merge(model) first, or exclude it")
        raise ValueError(f"'{name}' has another parametrization; remove_parametrizations it first, or exclude it")
    weight = module._parameters.get(attribute)
    if weight is None:
        raise ValueError(f"'{name}' is not a plain parameter (an older weight-norm hook?); remove it, or exclude it")
    if isinstance(weight, nn.parameter.UninitializedParameter):
        raise ValueError(f"'{name}' has no shape yet; run one forward pass first")
    if not weight.is_floating_point() or weight.numel() == 0:
        raise ValueError(f"'{name}' is empty or not real-valued ({weight.dtype}); exclude it")
    if weight.is_meta:
        raise ValueError(
            f"'{name}' is on the meta device and has no values; move the model by to_empty and initialise it"
        )
    if not weight.isfinite().all():
        raise ValueError(f"'{name}' holds NaN or infinity, which has no factors; initialise it first")
    if attribute in getattr(module, "_flat_weights_names", ()):
        raise ValueError(f"'{name}': {type(module).__name__} reads its weights past any parametrization; exclude it")


def _add_places(choices: dict[int, Choice], places: dict[str, tuple[nn.Module, str]]) -> None:
    """Find every place that holds a chosen tensor: tied parameters stay tied, whatever name was given."""
    for name, (module, attribute) in places.items():
        weight = module._parameters.get(attribute)
        if id(weight) in choices:
            _refuse_unfit(name, module, attribute)
            choices[id(weight)].places.append((module, attribute))


def _as_list(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _type_names(types: type | tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in (types if isinstance(types, tuple) else (types,)))
