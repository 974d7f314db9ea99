"""What a sweep ends with: every run that needs a look, with its reason and path, the counts, and the exit code."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from spred_bench.errors import UserError
from spred_bench.running import records, result
from spred_bench.running.plan import Plan
from spred_bench.running.result import CRASHED, DONE, FAILED, NOT_STARTED, RUNNING, RunResult
from spred_bench.system import locking

_LISTED = 30  # a longer sweep shows only the runs that are not done


def is_complete(plan: Plan) -> bool:
    """Whether a run has nothing left to do: it ended well, and its journal has every cell, none of them skipped."""
    try:
        manifest, cells = records.read_manifest(plan.path), records.read_journal(plan.path)
    except UserError:
        return False
    whole = all(cell.id in cells and cells[cell.id]["status"] in result.FINAL for cell in plan.cells)
    return manifest.get("status") == DONE and whole


def settle(run: RunResult, answer: RunResult | None = None, reason: str = "") -> RunResult:
    """Fill in what became of a run: from its job's answer, else (`reason` says what is known) from what it left."""
    try:
        manifest, kept = records.read_manifest(run.path), records.read_journal(run.path)
    except UserError as error:
        manifest, kept, reason = {}, {}, str(error)
    run.cells = result.count(entry["status"] for entry in kept.values())
    if answer is not None:
        run.state, run.signum, run.text = answer.state, answer.signum, answer.text
        return run
    status = manifest.get("status")
    if locking.is_held(run.path / ".lock"):
        run.state, run.text = RUNNING, "a process is still working on it"
    elif status in (DONE, FAILED):
        run.state = status
    else:
        run.state, run.text = NOT_STARTED if status is None else CRASHED, reason
    return run


def show(runs: Sequence[RunResult]) -> None:
    """Print the closing table."""
    listed = runs if len(runs) <= _LISTED else [run for run in runs if run.state != DONE]
    print()
    widths = [max((len(value) for value in column), default=0) for column in zip(*map(_columns, listed), strict=True)]
    for run in listed:
        cells = [value.ljust(width) for value, width in zip(_columns(run), widths, strict=True)]
        print("  ".join([*cells, str(run.path)]))
        if run.state != DONE:
            print(f"    {run.text}{_where(run)}")
    states = Counter(run.state for run in runs)
    before = sum(run.before for run in runs)
    parts = [f"{states[DONE]} done" + (f" ({before} by an earlier command)" if before else "")]
    parts += [f"{states[state]} {state}" for state in states if state not in (DONE, FAILED)]
    parts.insert(1, f"{states[FAILED]} failed")
    print(f"{len(runs)} runs: {', '.join(parts)}")
    print(f"cells: {RunResult(cells=sum((run.cells for run in runs), Counter()))}")
    if len(runs) > states[DONE]:
        print("the same command runs what is missing")


def show_numbers(runs: Sequence[RunResult]) -> None:
    """Print the tables of the runs as one, each row with its values on the swept axes; nothing where a run has none."""
    import pandas as pd

    from spred_bench.reporting import labels
    from spred_bench.reporting.tables import terminal
    from spred_bench.running import plan

    tables: dict[str, list] = {}
    try:
        for run in runs:
            if run.path is None or not (run.path / "records.csv").exists():
                continue
            config = records.read_manifest(run.path)["config"]
            labels.learn(config)
            rows = pd.read_csv(run.path / "records.csv", low_memory=False)
            found = {} if rows["metric"].isna().all() else plan.assemble(config, here=False).task.summary(rows)
            for name, table in (found if isinstance(found, dict) else {"": found}).items():
                if table is not None and len(table):
                    tables.setdefault(name, []).append(table.assign(run=run.words)[["run", *table.columns]])
        for parts in tables.values():
            print(f"\n{terminal.show(pd.concat(parts), terminal.window_width())}")
    except Exception as error:  # the runs are done and kept, whatever their tables make of them
        print(f"no table of the runs: {type(error).__name__}: {error}")


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


def _columns(run: RunResult) -> tuple[str, str, str]:
    counts = [f"{run.cells[status]} {status}" for status in ("done", "failed", "skipped") if run.cells[status]]
    counts = ", ".join([*counts, *filter(None, [result.unsolved_words(run.cells)])])
    return run.state + (" before" if run.before else ""), run.words, counts


def _where(run: RunResult) -> str:
    if run.state == FAILED:
        return f"; tracebacks in {run.path / 'run.json'}"
    log = run.path / "log.txt"
    return f"; its output is in {log}" if run.state == CRASHED and log.exists() else ""
