"""Figures: one file each, a function of records.csv alone. `TASKS` of a file names the tasks whose rows it draws."""

import importlib
import io
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from spred_bench.errors import UserError
from spred_bench.reporting import labels
from spred_bench.system.files import write_atomic, writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures_of(task: str) -> list[str]:
    """Names of the figures that draw the rows of `task`."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return [name for name in names if task in importlib.import_module(f"{__name__}.{name}").TASKS]


def caption(name: str) -> str:
    """What a figure shows: the first lines of its file and of its `draw`."""
    module = importlib.import_module(f"{__name__}.{name}")
    return " ".join(text.strip().split("\n\n")[0].replace("\n", " ") for text in (module.__doc__, module.draw.__doc__))


def draw_all(records: pd.DataFrame, wanted: list[str] | None = None) -> Iterator[tuple[str, "Figure"]]:
    """(name, figure) of every figure that the rows hold something for; each is closed when the next is asked for.

    `records.attrs["folder"]`, where given, is where a figure finds the files that rows name.
    Raises UserError where `wanted` names no figure of a task in the rows.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from spred_bench.reporting.plots import _style

    for task in records["task"].unique():
        known = figures_of(task)
        for name in wanted or known:
            if name not in known:
                raise UserError(f"plot --figure {name}: task {task} has {', '.join(known) or 'no figures'}")
            if records.loc[records["task"] == task, "metric"].isna().all():
                continue  # every cell failed or was skipped
            with plt.rc_context(_style.RC):
                rows = records[records["task"] == task]
                rows.attrs = records.attrs
                figure = importlib.import_module(f"{__name__}.{name}").draw(rows)
                if figure is not None:  # the rows may hold nothing that this figure shows
                    yield name, figure
                    plt.close(figure)


def draw_file(source: Path, wanted: list[str] | None = None, output: Path | None = None) -> list[Path]:
    """Draw the figures of one records.csv (or of the folder that holds it); the paths written, PNG and PDF.

    Raises UserError where the file is missing, is not a table of records, or `wanted` names no figure of its task, and
    where the disk refuses a figure.
    """
    path = source / "records.csv" if source.is_dir() else source
    if source.is_dir() and not path.exists():
        below = sorted(found.parent for found in source.glob("*/records.csv"))
        remedy = f"name a folder below it, such as {below[0]}" if below else "spred-bench collect makes that of a task"
        raise UserError(f"plot {source}: holds no records.csv; {remedy}")
    try:
        records = pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as error:
        raise UserError(f"plot {source}: {error}") from None
    if "task" not in records or "metric" not in records or records.empty:
        raise UserError(f"plot {source}: not a table of records (no rows, or no columns 'task' and 'metric')")
    records.attrs["folder"] = path.parent
    labels.learn_beside(path.parent)
    written = []
    for name, figure in draw_all(records, wanted):
        for kind in ("png", "pdf"):
            target, content = (output or path.parent) / f"{name}.{kind}", io.BytesIO()
            # No date in the file: the same rows give the same bytes.
            figure.savefig(content, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, content.getvalue())
            written.append(target)
    return written
