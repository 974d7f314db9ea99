"""From the yaml tree and the words of a command to plans: hydra's composition, and a check of a whole command."""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from spred_bench.components import outside
from spred_bench.errors import UserError
from spred_bench.running import code_names, plan, records, words
from spred_bench.running.listing import own_folders, yaml_of
from spred_bench.system.files import config_dir

_SLURM = "SlurmLauncher"


class Plans:
    """The plans that a command has built already, by configuration, so that none is built twice."""

    def __init__(self):
        self._built: dict[str, plan.Plan] = {}

    def keep(self, config: Mapping, built: plan.Plan) -> None:
        """Remember the plan of a configuration."""
        self._built[json.dumps(config, sort_keys=True)] = built

    def take(self, config: Mapping) -> plan.Plan | None:
        """The plan of a configuration, which is forgotten here; None where it was not built."""
        return self._built.pop(json.dumps(config, sort_keys=True), None)


def register_resolvers() -> None:
    """`${by_scale:smoke,cpu,paper}` takes the value that belongs to the top-level key `scale`."""

    def by_scale(smoke, cpu, paper, *, _root_):
        value = {"smoke": smoke, "paper": paper}.get(_root_.get("scale"), cpu)
        # As a container of OmegaConf's: it cannot put a plain list in a key's place (--cfg job --resolve).
        return OmegaConf.create(value) if isinstance(value, list) else value

    OmegaConf.register_new_resolver("by_scale", by_scale, replace=True)


def plain(cfg) -> dict:
    """A composed configuration as plain containers, interpolations resolved.

    Drops what an experiment sets for components that the command replaced, for example by `data=[gds]`.
    """
    config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    for group in set(plan.GROUPS) & set(config):
        for name in [name for name in config[group] or {} if _not_chosen(cfg, group, name)]:
            del config[group][name]
    names = config.get("allow") or []
    config["allow"] = outside.locate([names] if isinstance(names, str) else names, [*own_folders(), Path.cwd()])
    outside.permit(config["allow"])
    return config


def _not_chosen(cfg, group: str, name: str) -> bool:
    """Whether an entry is of a component of ours that is not among the chosen, which all have a `_target_`."""
    entry = OmegaConf.select(cfg, f"{group}.{name}")
    return OmegaConf.is_dict(entry) and "_target_" not in entry and yaml_of(group, name) is not None


def to_plan(config: Mapping, launcher: Mapping | None = None) -> plan.Plan:
    """A configuration as `plain` gives it, checked and built. Raises UserError.

    `launcher`: the settings of the one that will start the run. Where that is Slurm's, this machine does not say which
    devices there are: device=auto is CUDA if GPUs are asked for.
    """
    here = launcher is None or launcher["_target_"].rpartition(".")[2] != _SLURM
    if not here and config.get("device") == "auto":
        config = {**config, "device": "cuda" if _asks_for_gpus(launcher) else "cpu"}
    assembled = plan.assemble(config, here)
    records.check_writable(assembled.settings.results_dir)
    return assembled


def _asks_for_gpus(launcher: Mapping) -> bool:
    settings = {**launcher, **(launcher.get("additional_parameters") or {})}
    return any(settings.get(key) for key in ("gpus_per_node", "gpus_per_task", "gpus", "gres"))


@contextmanager
def _composing():
    """Where `compose` works; what hydra and OmegaConf refuse becomes a line for the user."""
    register_resolvers()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(words.one_line(error)) from None
    except yaml.YAMLError as error:
        raise UserError(" ".join(str(error).split())) from None


def _composed(name: str, fixed: list[str], typed: set[str]):
    """(the configuration without hydra's part, hydra's part), nothing in it naming code that was not typed."""
    cfg = compose(name, [*fixed, *words.search_path()], return_hydra_config=True)
    code_names.require_typed(cfg, typed)
    hydra = cfg.hydra
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, hydra


def resolved(overrides: list[str]) -> dict:
    """The configuration that the words of a command (key=value) make; nothing built yet. Raises UserError."""
    with _composing():
        overrides = words.quoted(overrides)
        fixed, _ = words.split(overrides)
        return plain(_composed("config", fixed, words.typed_keys(overrides))[0])


def require_composable(options: argparse.Namespace) -> None:
    """UserError unless the words of a command compose, whatever their values."""
    with _composing():
        fixed, _ = words.split(options.overrides)
        _composed(options.config_name or "config", fixed, words.typed_keys(options.overrides))


def check(options: argparse.Namespace) -> Plans:
    """Compose and build what the command asks for, so that a mistake ends here and nothing is written.

    Of a sweep, every value of every axis is built once, with the other axes at their first value. Raises UserError.
    """
    name, plans = options.config_name or "config", Plans()
    with _composing():
        typed = words.typed_keys(options.overrides)
        fixed, axes = words.split(options.overrides)
        full, hydra = _composed(name, fixed, typed)
        launcher = OmegaConf.to_container(hydra.launcher)
        _require_sensible(launcher)
        given = {word.split("=")[0] for word in [*fixed, *axes]}
        defaults = [f"{key}={value}" for key, value in (hydra.sweeper.params or {}).items()]
        axes |= words.split([word for word in defaults if word.split("=")[0] not in given])[1]
        sweeping = hydra.mode == RunMode.MULTIRUN or options.multirun
        if axes and not sweeping:
            raise UserError(words.several_values(next(iter(axes)), full.task.get("_target_", "")))
        for word in [*fixed, *axes]:
            _refuse_not_chosen(full, word)
        for point in _points(list(axes.values())):
            config = plain(_composed(name, [*fixed, *point], typed)[0])
            built = to_plan(config, launcher if sweeping else None)
            plans.keep(config, built.outline() if sweeping else built)
    return plans


def _refuse_not_chosen(cfg, word: str) -> None:
    """UserError for a word such as data.allaml.path=x where allaml is not among the chosen data."""
    group, _, rest = word.split("=")[0].lstrip("+~").partition(".")
    name = rest.split(".")[0]
    if group in plan.GROUPS and name and _not_chosen(cfg, group, name):
        chosen = [other for other in cfg[group] if not _not_chosen(cfg, group, other)]
        raise UserError(f"{word}: {name} is not chosen; {group}=[{','.join(chosen)}]")


def _require_sensible(launcher: Mapping) -> None:
    """UserError for numbers that our launcher cannot do with."""
    if launcher["_target_"].rpartition(".")[2] != "LocalPool":
        return
    for key, least, alternative in (("n_jobs", 1, " or null"), ("threads", 1, " or null"), ("gpus", 0, "")):
        value = launcher[key]
        if not (isinstance(value, int) and value >= least) and not (value is None and alternative):
            raise UserError(f"hydra.launcher.{key}={value}: expected a whole number from {least} on{alternative}")


def _points(axes: list[list[str]]) -> Iterator[list[str]]:
    """Each value of each axis at least once: a sum of the axes, where a sweep is their product."""
    first = [axis[0] for axis in axes]
    yield first
    for i, axis in enumerate(axes):
        for value in axis[1:]:
            yield [*first[:i], value, *first[i + 1 :]]
