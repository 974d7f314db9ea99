"""What a sweep ends with: every run that needs a look, with its reason and path, the counts, and the exit code."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spred_bench.errors import UserError
from spred_bench.reporting.rows import FINAL
from spred_bench.running import records
from spred_bench.system import locking

_LISTED = 30  # a longer sweep shows only the runs that are not done


@dataclass
class Fate:
    """One run of a sweep. state: done, failed, interrupted, crashed, running (elsewhere), refused, not started."""

    path: Path
    words: str  # its values on the swept axes
    state: str = ""
    text: str = ""
    code: int = 0
    before: bool = False  # done by an earlier command
    cells: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """The answer of a job that could not give one."""

    reason: str


def is_complete(path: Path) -> bool:
    """Whether the run at `path` has nothing left to do: done, and no cell skipped that could now be possible."""
    try:
        manifest = records.read_manifest(path)
    except UserError:
        return False
    return manifest.get("status") == "done" and not manifest.get("cells", {}).get("skipped")


def settle(fate: Fate, result=None, reason: str = "") -> Fate:
    """Fill in what became of a run: from its job's answer, else (`reason` says what is known) from what it left."""
    try:
        manifest = records.read_manifest(fate.path)
    except UserError as error:
        manifest, reason = {}, str(error)
    fate.cells = manifest.get("cells", {})
    if result is not None:
        fate.state, fate.code, fate.text = result.state, result.code, result.text
        return fate
    status = manifest.get("status")
    if status in ("running", "interrupted"):  # it could not write what it had done: the journal knows
        kept = records.read_journal(fate.path / "cells.jsonl").values()
        fate.cells = {"done": sum(entry["status"] in FINAL for entry in kept)}
    if locking.is_held(fate.path / ".lock"):
        fate.state, fate.code, fate.text = "running", 1, "a process is still working on it"
    elif status in ("done", "failed"):
        fate.state, fate.code = status, int(status == "failed")
    elif status is None:
        fate.state, fate.code, fate.text = "not started", 1, reason
    else:
        fate.state, fate.code, fate.text = "crashed", 1, reason
    return fate


def show(fates: Sequence[Fate]) -> int:
    """Print the closing table; the exit code that belongs to it."""
    listed = fates if len(fates) <= _LISTED else [fate for fate in fates if fate.state != "done"]
    print()
    widths = [max((len(value) for value in column), default=0) for column in zip(*map(_columns, listed), strict=True)]
    for fate in listed:
        cells = [value.ljust(width) for value, width in zip(_columns(fate), widths, strict=True)]
        print("  ".join([*cells, str(fate.path)]))
        if fate.state != "done":
            print(f"    {fate.text}{_where(fate)}")
    states = Counter(fate.state for fate in fates)
    before = sum(fate.before for fate in fates)
    cells = Counter()
    for fate in fates:
        cells.update({key: value for key, value in fate.cells.items() if value})
    parts = [f"{states['done']} done" + (f" ({before} by an earlier command)" if before else "")]
    parts += [f"{states[state]} {state}" for state in states if state not in ("done", "failed")]
    parts.insert(1, f"{states['failed']} failed")
    print(f"{len(fates)} runs: {', '.join(parts)}")
    print(f"cells: {cells['done']} done, {cells['failed']} failed, {cells['skipped']} skipped")
    if len(fates) > states["done"]:
        print("the same command runs what is missing")
    return max((fate.code for fate in fates), default=0)


def gather(experiment: str, runs: Sequence[Path]) -> None:
    """Merge the runs of an experiment into <results>/<experiment> and draw their figures there."""
    from spred_bench.reporting import plots
    from spred_bench.running.sweeps import collecting

    target = runs[0].parent.parent / experiment
    try:
        print(f"{experiment}: {collecting.merge(runs, target)}")
        for path in plots.draw_file(target):
            if path.suffix == ".png":
                print(f"figure   {path}")
    except Exception as error:  # the runs are done and kept, whatever a figure makes of them
        print(f"{experiment}: not merged or drawn: {type(error).__name__}: {error}")


def _columns(fate: Fate) -> tuple[str, str, str]:
    counts = ", ".join(f"{value} {key}" for key, value in fate.cells.items() if value)
    return fate.state + (" before" if fate.before else ""), fate.words, counts


def _where(fate: Fate) -> str:
    if fate.state == "failed":
        return f"; tracebacks in {fate.path / 'run.json'}"
    log = fate.path / "log.txt"
    return f"; its output is in {log}" if fate.state == "crashed" and log.exists() else ""
