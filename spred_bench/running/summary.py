"""What a run ends with on the terminal: a table, the figures, and where everything is."""

import pandas as pd

from spred_bench.reporting import labels, plots
from spred_bench.reporting.tables import terminal
from spred_bench.system.files import write_atomic, writing


def show(plan, result) -> None:
    """Print the task's tables, draw its figures in the run directory, and name the files."""
    labels.learn(plan.config)
    records_path = result.path / "records.csv"
    records = pd.read_csv(records_path, low_memory=False)
    nothing_measured = records["metric"].isna().all()  # every cell failed or was skipped: the lines above say why
    found = None if nothing_measured else plan.task.summary(records)
    print()
    for table in found.values() if isinstance(found, dict) else [found]:
        if table is not None and len(table):
            print(terminal.show(table, terminal.window_width()))
            print()
    figures = plots.draw_file(records_path)
    print(f"{plan.name}: {result}")
    print(f"rows     {records_path}")
    for name, table in ({} if nothing_measured else plan.task.files(records)).items():
        with writing(result.path / f"{name}.csv"):
            write_atomic(result.path / f"{name}.csv", table.to_csv(index=False))
        print(f"table    {result.path / name}.csv")
    for path in figures:
        if path.suffix == ".png":
            print(f"figure   {path}")
    if result.cells["failed"]:
        print(f"failures {result.path / 'run.json'} (tracebacks)")
