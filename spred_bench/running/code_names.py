"""What only the command line may name: modules, classes that hydra builds, programs, shell lines.

A configuration file is not a way to run code. A file in `--config-dir` may come from anybody; the words of a command
come from whoever runs it.
"""

from collections.abc import Collection, Iterator

import yaml
from omegaconf import OmegaConf

from spred_bench.errors import UserError
from spred_bench.running import plan
from spred_bench.system.files import config_dir

_OUR_TARGETS = (
    "hydra_plugins.spred_bench.",
    "hydra._internal.core_plugins.",
    "hydra_plugins.hydra_joblib_launcher.",
    "hydra_plugins.hydra_submitit_launcher.",
)
_LOGGING = ("logging.", "colorlog.", "ext://sys.stdout", "ext://sys.stderr")
_HARMLESS_VARIABLES = ("_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def require_typed(cfg, typed: Collection[str]) -> None:
    """UserError where a composed configuration, with its hydra part, names code that no word of the command names.

    typed: the keys that the command sets.
    """
    for key, value in _code_in(cfg):
        # A group (solver=mine, hydra/launcher=mine) chooses a file; only a key below it says what stands there.
        if not any(key == word or ("." in word and key.startswith(f"{word}.")) for word in typed):
            raise UserError(
                f"{key}={value} stands in a configuration file; only the command line may name code: to run it, add "
                f"'{key}={value}' to the command"
            )


def _code_in(cfg) -> Iterator[tuple[str, object]]:
    """(key, value) of everything in the configuration that would run code of others."""
    if cfg.get("allow"):
        yield "allow", OmegaConf.to_container(OmegaConf.create([cfg.allow]))[0]
    for group in plan.GROUPS:
        for name, spec in (cfg.get(group) or {}).items():
            if OmegaConf.is_dict(spec) and spec.get("python") is not None:
                yield f"{group}.{name}.python", spec.python
    hydra = OmegaConf.to_container(cfg.hydra, resolve=False)
    for key, value in _leaves(hydra, "hydra"):
        last, text = key.rpartition(".")[2], str(value)
        in_logging = key.startswith(("hydra.job_logging.", "hydra.hydra_logging."))
        if (last == "_target_" and not text.startswith(_OUR_TARGETS)) or (
            in_logging and (last in ("class", "()") or text.startswith("ext:")) and not text.startswith(_LOGGING)
        ):
            yield key, value
        if key.startswith("hydra.job.env_set.") and not last.endswith(_HARMLESS_VARIABLES):
            yield key, value
        if key.startswith("hydra.launcher.") and "\n" in text:
            yield key, repr(text)
    setup = hydra.get("launcher", {}).get("setup")
    if setup and setup != _shipped_setup():
        yield "hydra.launcher.setup", setup


def _leaves(node, prefix: str) -> Iterator[tuple[str, object]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        if isinstance(value, dict | list):
            yield from _leaves(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value


def _shipped_setup() -> list[str]:
    return yaml.safe_load((config_dir() / "launcher" / "slurm.yaml").read_text())["hydra"]["launcher"]["setup"]
