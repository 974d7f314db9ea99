"""Fig. 2 (right): time to a certified gap against the number of features, one panel per kind of problem."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._lasso import strength_labels
from spred_bench.reporting.plots._style import BAND, MARKERS, colours, label_ends

TASKS = ("lasso_scaling",)


def draw(records: pd.DataFrame):
    """Median over seeds of the time to the tightest target, with the 20-80 % band; a solver not there missed it."""
    import matplotlib.pyplot as plt

    times = records[(records["metric"] == "time_to_gap_s") & records["dataset"].notna()].copy()
    if times.empty:
        return None
    times = times[times["threshold"] == times["threshold"].min()]
    times["strength"] = strength_labels(times)
    # A data set named after its number of features is one of a grid of sizes.
    times = times[times["data"].str.contains("n_features=")]
    if times.empty:
        return None  # one size only: there is no scaling to show
    panels = list(times.groupby(["dataset", "truth", "n_targets", "strength"], sort=False, dropna=False))
    panels = [(key, part) for key, part in panels if part["n_features"].nunique() > 1]
    if not panels:
        return None
    palette = colours("solver", times["method"])
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.2 * columns + 0.8, 2.1 * rows + 0.5), squeeze=False, sharey=True, layout="constrained"
    )
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (key, part) in zip(axes.flat, panels, strict=False):
        for method, marker in zip(palette, MARKERS * len(palette), strict=False):
            _line(ax, part[part["method"] == method], palette[method], marker, label("solver", method))
        ax.set(xscale="log", yscale="log", title=_title(*key))
        ax.set_xticks(sorted(part["n_features"].unique()))
        ax.minorticks_off()
        ax.set_xticklabels([f"{p:.0e}".replace("e+0", "e") for p in sorted(part["n_features"].unique())])
    for ax in axes[:, 0]:
        ax.set_ylabel(f"time to gap {times['threshold'].min():g} (s)")
    for column in range(columns):
        last = max(row for row in range(rows) if row * columns + column < len(panels))
        axes[last, column].set_xlabel("features p")
    figure.draw_without_rendering()  # settles the limits that labels are placed by
    for row in range(rows):
        last = min(columns, len(panels) - row * columns) - 1
        label_ends(axes[row, last], makes_room=last == columns - 1)
    return figure


def _title(dataset: str, truth, targets: int, strength: str) -> str:
    kind = f", {truth} truth" if isinstance(truth, str) and truth != dataset else ""
    several = f"{targets} targets, " if targets > 1 else ""
    return f"{dataset}{kind}\n{several}{strength}"


def _line(ax, rows: pd.DataFrame, colour, marker, name: str) -> None:
    # A median needs most seeds: where a solver missed the target on some, it is not drawn.
    grouped = rows.groupby("n_features")["value"]
    complete = grouped.apply(lambda values: values.notna().all())
    low, middle, high = (grouped.quantile(q)[complete] for q in (BAND[0], 0.5, BAND[1]))
    ax.plot(middle.index, middle, color=colour, marker=marker, label=name)
    ax.fill_between(np.asarray(middle.index, dtype=float), low, high, color=colour, alpha=0.2, linewidth=0)
