"""The words of a command: flags and key=value, read as hydra reads them, and what is wrong with them in one line."""

import argparse
import re
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf.errors import MissingMandatoryValue

from spred_bench.components import contract
from spred_bench.errors import UserError
from spred_bench.running import listing, plan
from spred_bench.running.listing import groups

# Launchers that come with an extra of the package.
_EXTRAS = {"joblib": "parallel", "submitit_local": "hpc", "submitit_slurm": "hpc"}
_PLAIN_VALUE = re.compile(r"([+]{0,2}[\w./@-]+)=([^\[{'\",][^,]*)")


def read(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """(what hydra makes of a command, its flags with their values); flags may stand before, between or after the words.

    Values that are no words of hydra's grammar are quoted. Raises UserError for a flag that does not exist.
    """
    parser = get_args_parser()

    def refuse(message: str):
        raise UserError(f"{message}; {_in_words(message)}flags: spred-bench --hydra-help, keys: spred-bench --help")

    parser.error = refuse
    options = parser.parse_intermixed_args(argv)
    if options.experimental_rerun:
        refuse("--experimental-rerun: repeat the command instead")
    words = iter(options.overrides)
    wanted = next(words, None)
    flags = []
    for argument in argv:
        if argument == wanted:
            wanted = next(words, None)
        else:
            flags.append(argument)
    options.overrides = quoted(options.overrides)
    return options, flags


def _in_words(message: str) -> str:
    """'write results_dir=...; ' for a flag that verbs take and runs do not."""
    names = [name.replace("-", "_") for name in re.findall(r"--([\w-]+)", message)]
    return "".join(f"a run takes {name}=...; " for name in names if name in plan.known_keys())


def quoted(words: Sequence[str]) -> list[str]:
    """The words, with quotes around values such as paths with a # or an ü, which hydra's grammar has no place for."""
    return [_quoted(word) for word in words]


def _quoted(word: str) -> str:
    if "=" not in word and not word.startswith("~"):
        raise UserError(listing.bare_word(word))
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        if match := _PLAIN_VALUE.fullmatch(word):
            return f"{match[1]}={QuotedString(match[2], Quote.double).with_quotes()}"
    return word


def typed_keys(words: Sequence[str]) -> set[str]:
    """The keys that the words of a command set."""
    return {override.key_or_group for override in OverridesParser.create().parse_overrides(list(words))}


def split(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The overrides of a command: (those with one value, {override with several: one override per value})."""
    fixed, axes = [], {}
    for override in OverridesParser.create().parse_overrides(words):
        key = override.key_or_group
        if not key:
            raise UserError(f"{override.input_line}: expected key=value")
        group = key in groups()
        if group and not override.is_sweep_override() and not _is_name(override.value()):
            raise UserError(f"{override.input_line}: expected a name; see spred-bench list {key}")
        if override.is_sweep_override():
            if key == "allow":
                raise UserError(f"{override.input_line}: several modules are written {key}=[a,b]")
            name = override.get_key_element()
            axes[override.input_line] = [f"{name}={value}" for value in override.sweep_string_iterator()]
            split(axes[override.input_line] if group else [])  # refuses what is no name
        else:
            fixed.append(override.input_line)
    return fixed, axes


def search_path() -> list[str]:
    """The override that lets hydra find the user's own configurations."""
    paths = [QuotedString(f"file://{folder}", Quote.double).with_quotes() for folder in listing.own_folders()]
    return [f"hydra.searchpath=[{','.join(paths)}]"] if paths else []


def _is_name(value) -> bool:
    """Whether an override's value is a name, or a list of names; hydra fails on numbers with a traceback."""
    words = value if isinstance(value, list) else [value or None]
    return all(isinstance(word, str | QuotedString) for word in words)


def several_values(word: str, task_target: str) -> str:
    """What to say of key=a,b without -m: brackets are advised only where a list is taken."""
    key, _, values = word.partition("=")
    group, _, name = key.partition(".")
    brackets = group in plan.GROUPS
    if group == "task" and name:
        annotation = contract.parameters(contract.load_target(task_target, "task")).get(name)
        brackets = annotation is not None and contract.takes_list(annotation)
    or_list = f" or {key}=[{values}] (all in one run)" if brackets else ""
    return f"{word}: several values need -m (a run for each){or_list}"


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
        return f"unknown {folder} '{name}'; {contract.suggest(name, groups().get(folder, []))}"
    first = text.splitlines()[0]
    if re.search("no viable alternative|(mismatched|extraneous) input|token recognition error", first):
        return f"{first}: a list is written [a,b] without spaces, other signs in quotes: \"results_dir='my results'\""
    return first
