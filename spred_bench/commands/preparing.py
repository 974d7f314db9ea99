"""`spred-bench prepare`: fetch the data of a task. The only place of the program that downloads."""

from collections.abc import Callable, Mapping
from pathlib import Path

from spred_bench.components import contract
from spred_bench.errors import Skip, UserError


def prepare(config: Mapping, report: Callable[[str], None] = print) -> None:
    """Let each data source of `config` fetch what it needs (`prepare()`), then check it.

    Raises UserError, after all sources had their turn, where something is missing still.
    """
    shared = {"scale": config.get("scale"), "seed": config.get("seed"), "device": "cpu"}
    shared["data_dir"] = Path(config["data_dir"])
    sources = contract.build_group("data", config.get("data"), shared)
    if not sources:
        report("this task makes its own data: nothing to prepare")
    missing = []
    for name, source in sources.items():
        try:
            source.prepare()
            report(f"{name}: {state(source)}")
        except (UserError, Skip) as reason:
            report(f"{name}: missing")
            missing.append(f"{name}: {reason}")
    if missing:
        raise UserError("; ".join(missing))


def state(source) -> str:
    """What to say of a source that is ready. UserError or Skip where it is not."""
    source.check()
    facts = source.provenance()
    if facts.get("missing"):
        return "missing, not required"
    if not facts:
        return "ready (drawn, or shipped with a package)"
    return ", ".join(["ready and checked", *(f"{key} {value}" for key, value in facts.items())])
