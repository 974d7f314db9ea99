"""Gene selection: accuracy against the number of selected features, a panel for each data set and protocol."""

import numpy as np
import pandas as pd

from spred_bench.intervals import bootstrap
from spred_bench.plots._style import MARKERS, colours

TASKS = ("gene_selection",)
_MOST_PANELS = 6
_BINS_PER_OCTAVE = 1


def draw(records: pd.DataFrame):
    """Lines: dev accuracy along each method's path, the best setting of each octave of the number of features.

    Markers: test accuracy of the settings chosen by dev, with 95 % bootstrap intervals, at the median number.
    """
    import matplotlib.pyplot as plt

    test = records[(records["metric"] == "accuracy") & (records["split"] == "test")]
    if test.empty:
        return None
    panels = list(test.groupby(["dataset", "protocol"], sort=False))[:_MOST_PANELS]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (max(3.1 * columns, 4.2), 2.7 * rows + 0.7)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    methods = test["method"].unique()
    palette, markers = colours(methods), dict(zip(methods, MARKERS * len(methods), strict=False))
    for ax, (key, scores) in zip(axes.flat, panels, strict=False):
        rows_here = records[(records["dataset"] == key[0]) & (records["protocol"] == key[1])]
        for method, own in scores.groupby("method", sort=False):
            style = {"color": palette[method], "marker": markers[method]}
            _path(ax, rows_here[rows_here["method"] == method], palette[method])
            selected = rows_here[(rows_here["method"] == method) & (rows_here["metric"] == "n_selected")]["value"]
            mean, low, high = bootstrap(own["value"])
            errors = None if np.isnan(low) else [[mean - low], [high - mean]]
            ax.errorbar(selected.median(), mean, errors, label=method, linestyle="none", capsize=2, **style)
        majority = rows_here.loc[rows_here["metric"] == "majority_rate", "value"]
        for level in majority[:1]:
            ax.axhline(level, color="0.5", linewidth=0.8, linestyle=":")
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ax.set(xlabel="selected features", ylabel="accuracy", ylim=(-0.03, 1.03), xlim=(-0.3, None))
        ax.set_title(f"{key[0]}, {key[1]}, {own['seed'].nunique()} samplings")
    for ax in list(axes.flat)[len(panels) :]:
        ax.remove()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2 + columns))
    return figure


def _path(ax, rows: pd.DataFrame, colour: str) -> None:
    """Dev accuracy over the number of features: means over samplings, the best setting of each octave."""
    path = rows[rows["metric"].isin(["path_accuracy", "path_n_selected"])]
    table = path.pivot_table(index="settings", columns="metric", values="value", aggfunc="mean")
    table = table[table["path_n_selected"] >= 1] if len(table) > 1 else table[:0]
    octaves = np.round(np.log2(table["path_n_selected"])).to_numpy()
    best = table.sort_values("path_accuracy").groupby(octaves[table["path_accuracy"].argsort()]).tail(1)
    best = best.sort_values("path_n_selected")
    ax.plot(best["path_n_selected"], best["path_accuracy"], color=colour, linewidth=1, alpha=0.7)
