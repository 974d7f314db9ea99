"""Figures: one file each, a function of records.csv alone. `TASKS` of a file names the tasks whose rows it draws."""

import importlib
import io
import pkgutil
from pathlib import Path

import pandas as pd

from spred_bench.errors import UserError
from spred_bench.records import write_atomic, writing


def figures_of(task: str) -> list[str]:
    """Names of the figures that draw the rows of `task`."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return [name for name in names if task in importlib.import_module(f"{__name__}.{name}").TASKS]


def draw_file(source: Path, wanted: list[str] | None = None, output: Path | None = None) -> list[Path]:
    """Draw the figures of one records.csv (or of the folder that holds it); the paths written, PNG and PDF.

    Raises UserError where the file is missing, is not a table of records, or `wanted` names no figure of its task, and
    where the disk refuses a figure.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from spred_bench.plots import _style

    path = source / "records.csv" if source.is_dir() else source
    try:
        records = pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as error:
        raise UserError(f"plot {source}: {error}") from None
    if "task" not in records or "metric" not in records or records.empty:
        raise UserError(f"plot {source}: not a table of records (no rows, or no columns 'task' and 'metric')")
    written = []
    for task in records["task"].unique():
        known = figures_of(task)
        for name in wanted or known:
            if name not in known:
                raise UserError(f"plot --figure {name}: task {task} has {', '.join(known) or 'no figures'}")
            with plt.rc_context(_style.RC):
                figure = importlib.import_module(f"{__name__}.{name}").draw(records[records["task"] == task])
                if figure is None:
                    continue  # the rows hold nothing that this figure shows
                for kind in ("png", "pdf"):
                    target, content = (output or path.parent) / f"{name}.{kind}", io.BytesIO()
                    # No date in the file: the same rows give the same bytes.
                    figure.savefig(content, format=kind, metadata={"CreationDate": None} if kind == "pdf" else None)
                    with writing(target):
                        target.parent.mkdir(parents=True, exist_ok=True)
                        write_atomic(target, content.getvalue())
                    written.append(target)
                plt.close(figure)
    return written
