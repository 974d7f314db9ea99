"""Components: how a yaml entry becomes an object, with every mistake named.

A component is a class decorated with `@component`; its signature declares its parameters, their types and ranges,
and nothing else does. Its yaml is `_target_`, exactly these parameters, and what it declares to readers (`_label_`,
`_family_`, `_colour_`). Where a parameter takes one value, a list of values makes a grid, with one component per
combination.
"""

import dataclasses
import difflib
import functools
import importlib
import itertools
import re
import types
import typing
from collections.abc import Iterable, Mapping

import pydantic
from pydantic import ConfigDict

from spred_bench.components import outside
from spred_bench.errors import UserError

PACKAGE = "spred_bench"

# What the classes of each group extend: it declares what a component of the group can do.
_BASES = {
    "task": "tasks.BaseTask",
    "data": "data.BaseSource",
    "solver": "solvers.BaseSolver",
    "method": "methods.BaseMethod",
    "model": "models.BaseModel",
    "selector": "selectors.BaseSelector",
    "protocol": "protocols.BaseProtocol",
    "learner": "learners.BaseLearner",
}

component = functools.partial(
    pydantic.dataclasses.dataclass,
    kw_only=True,
    config=ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True),
)


# What a component's yaml says to readers of figures and tables. It computes nothing: a run's identity is without it.
DECLARATIONS = ("_label_", "_family_", "_colour_")


@component
class Declaration:
    """label: what readers call the component.  family: `ours` for one of spred's, `rival` for what it is compared with.
    colour: its place among the colours of figures, kept in every figure that shows it."""

    label: str = ""
    family: typing.Literal["ours", "rival"] = "rival"
    colour: typing.Annotated[int, pydantic.Field(ge=0, le=9)] | None = None


def declared(where: str, spec: Mapping) -> Declaration:
    """What the yaml entry of a component declares. Raises UserError for a wrong value."""
    given = {key: spec[key] for key in DECLARATIONS if key in spec}
    try:
        return Declaration(**{key.strip("_"): value for key, value in given.items()})
    except pydantic.ValidationError as error:
        message = describe(error, where, {key.strip("_"): value for key, value in given.items()})
        raise UserError(re.sub(r"\.(label|family|colour)\b", r"._\1_", message, count=1)) from None


def suggest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """'did you mean 'kappa'?': the names that begin with `word`, else the nearest; `otherwise`, or all, where none is.

    otherwise: what to say where no name is near.
    """
    known = sorted(known)
    alike = [name for name in known if len(word) > 1 and name.startswith(word)]
    close = alike or difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close:
        return otherwise or f"known: {', '.join(known)}"
    quoted = [f"'{name}'" for name in close]
    return f"did you mean {' or '.join(filter(None, [', '.join(quoted[:-1]), quoted[-1]]))}?"


def load_target(target: str, where: str) -> type:
    """The class a `_target_` names: of this package, or of a module that the command line allows."""
    module, _, name = str(target).rpartition(".")
    ours = module == PACKAGE or module.startswith(PACKAGE + ".")
    if not ours and not outside.is_permitted(module):
        top = module.partition(".")[0]
        remedy = f"; to run it, add allow=[{top}] to the command" if top else ""
        raise UserError(f"{where}._target_={target}: is no class of {PACKAGE}{remedy}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"{where}._target_={target}: {error}") from error
    except Exception as error:
        if ours:
            raise
        raise UserError(f"{where}._target_={target}: {type(error).__name__}: {error}".splitlines()[0]) from error
    if not isinstance(found, type):
        raise UserError(f"{where}._target_={target}: is no class")
    return found


def parameters(cls) -> dict[str, typing.Any]:
    """Names of the constructor's parameters and their annotations. UserError for a class that is no component."""
    if not dataclasses.is_dataclass(cls):
        raise UserError(f"{cls.__module__}.{cls.__qualname__}: is not decorated with @component")
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def takes_list(annotation) -> bool:
    """Whether a parameter of this annotation takes several values by itself."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        return any(takes_list(part) for part in typing.get_args(annotation))
    return (origin or annotation) in (list, tuple, dict, set)


def build(where: str, spec: Mapping, shared: Mapping | None = None):
    """One object from its yaml entry `spec`; `where` is its key, for the messages.

    `shared` values (device, seed, ...) are passed to the parameters of that name. Raises UserError.
    """
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise UserError(f"{where}={spec}: expected a component, that is a mapping with _target_")
    cls = load_target(spec["_target_"], where)
    _require_kind(where, cls)
    known = parameters(cls)
    declared(where, spec)
    given = {key: value for key, value in spec.items() if key not in ("_target_", *DECLARATIONS)}
    for key in given:
        if key not in known:
            raise UserError(f"unknown key {where}.{key}; {suggest(key, known)}")
    inherited = {key: value for key, value in (shared or {}).items() if key in known and key not in given}
    try:
        return cls(**given, **inherited)
    except pydantic.ValidationError as error:
        raise UserError(describe(error, where, {**given, **inherited}, inherited)) from None


def _require_kind(where: str, cls: type) -> None:
    """UserError unless a class extends the base of its group, and has all that the base leaves open."""
    base = _BASES[where.partition(".")[0]]
    name = f"{where}._target_={cls.__module__}.{cls.__qualname__}"
    if not (isinstance(cls, type) and issubclass(cls, load_target(f"{PACKAGE}.components.{base}", where))):
        raise UserError(f"{name}: the class has to extend {PACKAGE}.components.{base}")
    if missing := sorted(cls.__abstractmethods__):
        raise UserError(f"{name}: the class lacks {', '.join(missing)}, which {base} leaves open")


def describe(error: pydantic.ValidationError, where: str, given: Mapping, top_level: Iterable[str] = ()) -> str:
    """The first complaint of pydantic in one line: key, value, what would be right."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = path[0] if path else ""
    key = name if name in top_level or not where else ".".join(filter(None, [where, name]))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("missing", "missing_keyword_only_argument", "missing_argument"):
        return f"{key} is not set; {message[0].lower()}{message[1:]}"
    shown = f"={given[name]}" if name in given else ""
    return f"{key}{shown}: {message[0].lower()}{message[1:]}"


def expand(where: str, spec: Mapping) -> list[tuple[dict, dict]]:
    """[(scalar spec, the grid values that single it out)], the product over lists given where one value is taken."""
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise UserError(f"{where}={spec}: expected a component, that is a mapping with _target_")
    known = parameters(load_target(spec["_target_"], where))
    grid = {
        key: value
        for key, value in spec.items()
        if isinstance(value, list) and key in known and not takes_list(known[key])
    }
    for key, values in grid.items():
        if not values:
            raise UserError(f"{where}.{key}=[]: the list of values to run is empty")
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return [({**spec, **point}, point) for point in points]


def build_group(group: str, specs: Mapping | None, shared: Mapping | None = None) -> dict[str, object]:
    """All components chosen of a group: {label: object}, label = name, or name[key=value,...] for a grid point."""
    built = {}
    for name, spec in (specs or {}).items():
        for scalar_spec, point in expand(f"{group}.{name}", spec):
            label = ",".join(f"{key}={value}" for key, value in point.items())
            built[f"{name}[{label}]" if label else name] = build(f"{group}.{name}", scalar_spec, shared)
    return built


def data_type(source_class) -> type:
    """What a data source gives: the return annotation of its `load`."""
    return typing.get_type_hints(source_class.load).get("return")


def require_data(sources: Mapping[str, object], wanted: type) -> None:
    """UserError unless every source gives what the task works on."""
    for label, source in sources.items():
        given = data_type(type(source))
        if given is not wanted:
            gives = (
                f"gives {given.__name__}" if given else "does not say what it gives: `load` needs a return annotation"
            )
            raise UserError(f"data={label} {gives}; this task works on {wanted.__name__}")
