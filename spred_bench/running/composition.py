"""Where configurations come from: the yaml tree, hydra's composition, and a check of a whole command before it runs."""

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from spred_bench.components import contract
from spred_bench.errors import UserError
from spred_bench.running import plan, records
from spred_bench.running.listing import config_dir, groups

# Launchers that come with an extra of the package.
_EXTRAS = {"joblib": "parallel", "submitit_local": "hpc", "submitit_slurm": "hpc"}
_SLURM = "SlurmLauncher"


def register_resolvers() -> None:
    """`${by_scale:smoke,cpu,paper}` takes the value that belongs to the top-level key `scale`."""

    def by_scale(smoke, cpu, paper, *, _root_):
        value = {"smoke": smoke, "paper": paper}.get(_root_.get("scale"), cpu)
        # As a container of OmegaConf's: it cannot put a plain list in a key's place (--cfg job --resolve).
        return OmegaConf.create(value) if isinstance(value, list) else value

    OmegaConf.register_new_resolver("by_scale", by_scale, replace=True)


def plain(cfg) -> dict:
    """A composed configuration as plain containers, interpolations resolved.

    Without what an experiment sets for a component that the command has replaced: `data=[gds]` leaves its words on
    the others without a subject.
    """
    config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    for group in set(plan.GROUPS) & set(config):
        for name in [name for name in config[group] or {} if _not_chosen(cfg, group, name)]:
            del config[group][name]
    return config


def _not_chosen(cfg, group: str, name: str) -> bool:
    """Whether an entry is of a component of ours that is not among the chosen, which all have a `_target_`."""
    entry = OmegaConf.select(cfg, f"{group}.{name}")
    return OmegaConf.is_dict(entry) and "_target_" not in entry and (config_dir() / group / f"{name}.yaml").exists()


def to_plan(cfg, launcher: Mapping | None = None) -> plan.Plan:
    """A composed configuration, checked and built. Raises UserError.

    `launcher`: the settings of the one that will start the run. Where that is Slurm's, this machine does not say which
    devices there are: device=auto is CUDA if GPUs are asked for.
    """
    config, here = plain(cfg), launcher is None or launcher["_target_"].rpartition(".")[2] != _SLURM
    if not here and config.get("device") == "auto":
        config["device"] = "cuda" if _asks_for_gpus(launcher) else "cpu"
    assembled = plan.assemble(config, here)
    records.check_writable(assembled.settings.results_dir)
    return assembled


def _asks_for_gpus(launcher: Mapping) -> bool:
    settings = {**launcher, **(launcher.get("additional_parameters") or {})}
    return any(settings.get(key) for key in ("gpus_per_node", "gpus_per_task", "gpus", "gres"))


def resolved(words: list[str], extra_dir: str | None = None) -> dict:
    """The configuration that the words of a command (key=value) make, with the files of `extra_dir` (--config-dir) as
    well; nothing built yet. Raises UserError."""
    register_resolvers()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            return plain(compose("config", _split(words, extra_dir)[0]))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from None


def read(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """(what hydra makes of a command, its flags with their values); flags may stand before, between or after the words.

    Raises UserError for a flag that does not exist.
    """
    parser = get_args_parser()

    def refuse(message: str):
        raise UserError(f"{message}; flags: spred-bench --hydra-help, keys: spred-bench --help")

    parser.error = refuse
    options = parser.parse_intermixed_args(argv)
    words = iter(options.overrides)
    wanted = next(words, None)
    flags = []
    for argument in argv:
        if argument == wanted:
            wanted = next(words, None)
        else:
            flags.append(argument)
    return options, flags


def require_composable(options: argparse.Namespace) -> None:
    """UserError unless the words of a command compose, whatever their values."""
    register_resolvers()
    try:
        fixed, _ = _split(options.overrides, options.config_dir)
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            compose(options.config_name or "config", fixed)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from None


def check(options: argparse.Namespace) -> None:
    """Compose and build what the command asks for, so that a mistake ends here and nothing is written.

    Of a sweep, every value of every axis is built once, with the other axes at their first value. Raises UserError.
    """
    register_resolvers()
    name = options.config_name or "config"
    try:
        fixed, axes = _split(options.overrides, options.config_dir)
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            full = compose(name, fixed, return_hydra_config=True)
            launcher = OmegaConf.to_container(full.hydra.launcher)
            _require_sensible(launcher)
            given = {word.split("=")[0] for word in [*fixed, *axes]}
            defaults = [f"{key}={value}" for key, value in (full.hydra.sweeper.params or {}).items()]
            axes |= _split([word for word in defaults if word.split("=")[0] not in given])[1]
            sweeping = full.hydra.mode == RunMode.MULTIRUN or options.multirun
            if axes and not sweeping:
                raise UserError(f"{next(iter(axes))}: several values need -m (a sweep) or [brackets] (a list)")
            for word in [*fixed, *axes]:
                _refuse_not_chosen(full, word)
            for point in _points(list(axes.values())):
                to_plan(compose(name, [*fixed, *point]), launcher if sweeping else None).task.cells()
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from None


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


def _split(words: list[str], extra_dir: str | None = None) -> tuple[list[str], dict[str, list[str]]]:
    """The overrides of a command: (those with one value, {override with several: one override per value})."""
    fixed, axes = [], {}
    for override in OverridesParser.create().parse_overrides(words):
        if not override.key_or_group:
            raise UserError(f"{override.input_line}: expected key=value")
        group = override.key_or_group in groups()
        if group and not override.is_sweep_override() and not _is_name(override.value()):
            raise UserError(f"{override.input_line}: expected a name; see spred-bench list {override.key_or_group}")
        if override.is_sweep_override():
            name = override.get_key_element()
            axes[override.input_line] = [f"{name}={value}" for value in override.sweep_string_iterator()]
            _split(axes[override.input_line] if group else [])  # refuses what is no name
        else:
            fixed.append(override.input_line)
    if extra_dir is not None:
        if not Path(extra_dir).is_dir():
            raise UserError(f"--config-dir {extra_dir}: not a folder")
        fixed.append(f"hydra.searchpath=[file://{Path(extra_dir).absolute()}]")
    return fixed, axes


def _is_name(value) -> bool:
    """Whether an override's value is a name, or a list of names; hydra fails on numbers with a traceback."""
    words = value if isinstance(value, list) else [value or None]
    return all(isinstance(word, str | QuotedString) for word in words)


def _points(axes: list[list[str]]) -> Iterator[list[str]]:
    """Each value of each axis at least once: a sum of the axes, where a sweep is their product."""
    first = [axis[0] for axis in axes]
    yield first
    for i, axis in enumerate(axes):
        for value in axis[1:]:
            yield [*first[:i], value, *first[i + 1 :]]


def one_line(error: Exception) -> str:
    """Hydra's and OmegaConf's messages, cut to the line that says what is wrong, with the nearest valid name."""
    text = str(error).strip()
    if key := re.search(r"Could not override '([^']+)'", text):
        name = key.group(1)
        if "." in name:
            return f"unknown key {name}; --cfg job shows the keys of this configuration"
        if name in plan.known_keys():
            return f"this task takes no {name}; --cfg job shows the keys of this configuration"
        return f"unknown key {name}; {contract.suggest(name, plan.known_keys())}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not set; this configuration needs it"
    if group := re.search(r"Could not (?:find|load) '([^']+)/([^'/]+)'", text):
        folder, name = group.groups()
        if folder == "hydra/launcher" and name in _EXTRAS:
            return f"hydra/launcher={name} is not installed: pip install 'spred-bench[{_EXTRAS[name]}]'"
        choices = [path.stem for path in (config_dir() / folder).glob("*.yaml")]
        return f"unknown {folder} '{name}'; {contract.suggest(name, choices)}"
    first = text.splitlines()[0]
    if re.search("no viable alternative|(mismatched|extraneous) input|token recognition error", first):
        return f"{first}: a list is written [a,b] without spaces, other signs in quotes: \"results_dir='my results'\""
    return first
