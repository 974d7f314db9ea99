"""From a resolved configuration to a checked task, ready to run: nothing is written before this has passed."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from spred_bench.components import contract, outside
from spred_bench.errors import UserError
from spred_bench.reporting.rows import Cell
from spred_bench.running import records

# Component groups: a task that takes one has a parameter of its name.
GROUPS = ("data", "solver", "method", "model", "protocol", "selector", "learner")


@contract.component
class Settings:
    """The top-level keys that every task understands."""

    scale: Literal["smoke", "cpu", "paper"] = "cpu"
    device: str = "auto"
    seed: pydantic.NonNegativeInt = 0
    kappa: Annotated[float, pydantic.Field(ge=0)] | None = None
    results_dir: Path = Path("results")
    data_dir: Path = Path("data")
    force: bool = False
    threads: pydantic.PositiveInt | None = None
    allow: list[tuple[str, str]] = pydantic.Field([])


@dataclass(frozen=True)
class Plan:
    """A checked run: the task's name, the task, the settings, and the configuration that identifies it."""

    name: str
    task: Any
    settings: Settings
    config: Mapping

    @cached_property
    def cells(self) -> list[Cell]:
        """The cells of the task, made once: some tasks read their data for it."""
        return self.task.cells()

    def outline(self) -> "Plan":
        """The same with its cells and without its task, which may hold data."""
        outlined = dataclasses.replace(self, task=None)
        outlined.__dict__["cells"] = self.cells
        return outlined

    @property
    def run_id(self) -> str:
        """Short hash of what the run computes (not of where it writes)."""
        return records.run_id(self.config)

    @property
    def path(self) -> Path:
        """Where the run lives."""
        return self.settings.results_dir / self.name / self.run_id


def known_keys() -> list[str]:
    """Keys that may stand at the top of a configuration."""
    return ["task", *GROUPS, *contract.parameters(Settings)]


def assemble(config: Mapping, here: bool = True) -> Plan:
    """Check `config` (plain containers, interpolations resolved) and build its task. Raises UserError.

    here: whether it will run on this machine, so that its device must be there.
    """
    config = one_spelling(config)
    for key in config:
        if key not in known_keys():
            raise UserError(f"unknown key {key}; {contract.suggest(key, known_keys())}")
    given = {key: config[key] for key in contract.parameters(Settings) if key in config}
    try:
        settings = Settings(**given)
    except pydantic.ValidationError as error:
        raise UserError(contract.describe(error, "", given)) from None
    outside.permit(settings.allow)
    device = _resolve_device(settings.device, here)
    shared = {"scale": settings.scale, "seed": settings.seed, "device": device, "data_dir": settings.data_dir}
    task_spec = config.get("task")
    if not isinstance(task_spec, Mapping) or "_target_" not in task_spec:
        raise UserError(f"task={task_spec}: expected the name of a task; see spred-bench list")
    cls = contract.load_target(task_spec["_target_"], "task")
    name, accepted = cls.__module__.rpartition(".")[2], contract.parameters(cls)
    groups = {}
    for group in GROUPS:
        if group in accepted:
            if not config.get(group):
                raise UserError(f"{group}=[]: task={name} needs at least one; see spred-bench list {group}")
            groups[group] = contract.build_group(group, config.get(group), shared)
        elif group in config:
            raise UserError(f"task={name} takes no {group}")
    if settings.kappa is not None and "kappa" not in accepted:
        raise UserError(f"task={name} takes no kappa")
    task = contract.build("task", task_spec, {**shared, **groups, "kappa": settings.kappa})
    return Plan(name, task, settings, {**config, "device": device})


def one_spelling(value):
    """Plain containers with every whole number an int: 1.0 and 1, alike to whoever types them, make one run."""
    if isinstance(value, Mapping):
        return {key: one_spelling(part) for key, part in value.items()}
    if isinstance(value, list):
        return [one_spelling(part) for part in value]
    # Not the other way about: far more whole numbers stand without a point, and true must not become a number.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _resolve_device(name: str, here: bool) -> str:
    if name == "cpu" or (not here and re.fullmatch(r"cuda(:\d+)?", name)):
        return name  # without loading torch, which takes seconds
    from spred_bench.system.device import resolve_device

    try:
        return str(resolve_device(name))
    except ValueError as error:
        raise UserError(str(error)) from None
