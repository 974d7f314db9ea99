"""Gene selection: accuracy against the number of selected features, a panel for each data set and protocol."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import MARKERS, colours
from spred_bench.reporting.tables.gene_tables import selecting
from spred_bench.reporting.tables.intervals import bootstrap

TASKS = ("gene_selection",)
_MOST_PANELS = 12


def draw(records: pd.DataFrame):
    """Lines: dev accuracy along each method's path, the best point of each octave of the number of features.

    Markers: test accuracy of the settings chosen by dev, with 95 % bootstrap intervals, at the median number.  Dotted:
    the majority rate.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    methods = selecting(records)
    test = records[(records["metric"] == "accuracy") & (records["split"] == "test") & records["method"].isin(methods)]
    if test.empty:
        return None
    panels = list(test.groupby(["dataset", "protocol"], sort=False))[:_MOST_PANELS]
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (max(3.1 * columns, 4.2), 2.7 * rows + 0.7)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    palette, markers = colours("selector", methods), dict(zip(methods, MARKERS * len(methods), strict=False))
    for ax, (key, scores) in zip(axes.flat, panels, strict=False):
        rows_here = records[(records["dataset"] == key[0]) & (records["protocol"] == key[1])]
        for method, own in scores.groupby("method", sort=False):
            style = {"color": palette[method], "marker": markers[method]}
            _path(ax, rows_here[rows_here["method"] == method], palette[method])
            selected = rows_here[(rows_here["method"] == method) & (rows_here["metric"] == "n_selected")]["value"]
            mean, low, high = bootstrap(own["value"])
            errors = None if np.isnan(low) else [[mean - low], [high - mean]]
            ax.errorbar(
                selected.median(), mean, errors, label=label("selector", method), linestyle="none", capsize=2, **style
            )
        majority = rows_here.loc[rows_here["metric"] == "majority_rate", "value"]
        for level in majority[:1]:
            ax.axhline(level, color="0.5", linewidth=0.8, linestyle=":", label="majority rate")
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        ax.set(xlabel="selected features", ylabel="accuracy", ylim=(-0.03, 1.03), xlim=(-0.3, 1.6 * ax.get_xlim()[1]))
        ax.set_title(f"{key[0]}, {key[1]}, {own['seed'].nunique()} samplings")
    for ax in list(axes.flat)[len(panels) :]:
        ax.remove()
    named = {text: handle for ax in figure.axes for handle, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    named["lines: dev, best of the path"] = Line2D([], [], color="0.4", linewidth=1)
    named["markers: test, chosen on dev"] = Line2D([], [], color="0.4", marker="o", linestyle="none")
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=min(len(named), 2 + columns))
    return figure


def _path(ax, rows: pd.DataFrame, colour: str) -> None:
    """Dev accuracy over the number of features: means over samplings, the best point of each octave."""
    points = rows[rows["metric"] == "path_accuracy"].groupby("point")[["n_selected", "value"]].mean()
    points = points[points["n_selected"] >= 1]
    octaves = np.round(np.log2(points["n_selected"]))
    best = points.sort_values("value").groupby(octaves).tail(1).sort_values("n_selected")
    ax.plot(best["n_selected"], best["value"], color=colour, linewidth=1, alpha=0.7)
