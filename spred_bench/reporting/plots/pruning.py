"""Fig. 5: test accuracy against compression, kappa chosen on dev; points are medians over seeds with 20-80 % bars."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import BAND, MARKERS, colours, legend_entries
from spred_bench.reporting.tables import frontier

TASKS = ("pruning",)
_MISS = 0.02  # a sigmoid further than this from a median, in accuracy, is no fit
_FITTED, _JOINED = "sigmoid fitted to the points", "points joined: no sigmoid fits"


def draw(records: pd.DataFrame):
    """One panel per data set and model. A solid line is a sigmoid fitted to all points; where it would miss a median by
    more than 0.02, a dotted line joins the medians instead."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    table = frontier.chosen_on_dev(frontier.cells(records))
    if table.empty:
        return None
    panels = list(table.groupby(["dataset", "model"], sort=False))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(1.2 + 5.2 * len(panels), 3.9), layout="constrained", squeeze=False
    )
    methods = table["method"].unique()
    shades, markers = colours("method", methods), dict(zip(methods, MARKERS * len(methods), strict=False))
    drawn = set()
    for ax, ((dataset, model), rows) in zip(axes[0], panels, strict=True):
        chance = 1 / records.loc[records["dataset"] == dataset, "n_classes"].max()
        for method, points in rows.groupby("method", sort=False):
            drawn.add(_curve(ax, points, chance, shades[method], markers[method], label("method", method)))
        ax.axhline(chance, color="0.6", linewidth=0.8, linestyle=":")
        ax.set(
            xscale="log", xlabel="compression ratio", ylabel="test accuracy, fine-tuned", title=f"{dataset}, {model}"
        )
    handles, labels = legend_entries(axes)
    for line, dashes in ((_FITTED, "-"), (_JOINED, ":")):
        if line in drawn:
            handles.append(Line2D([], [], color="0.4", linewidth=1.0, linestyle=dashes))
            labels.append(line)
    wide = max(map(len, labels)) > 30  # beside the panels they would leave no room for these
    figure.legend(handles, labels, loc="outside lower center" if wide else "outside right center")
    return figure


def _curve(ax, points: pd.DataFrame, chance: float, colour: str, marker: str, name: str) -> str:
    """Draw one method; which kind of line it got."""
    groups = points.groupby("compression")
    x, y = groups["ratio"].median(), groups["test"].median()
    low, high = (groups["test"].quantile(q) for q in BAND)
    fit = frontier.fit_sigmoid(points["ratio"], points["test"], chance)
    fits = fit is not None and np.abs(fit(x, chance) - y).max() <= _MISS
    if fits:
        grid = np.geomspace(x.min(), x.max(), 200)
        ax.plot(grid, fit(grid, chance), color=colour, linewidth=1.0)
    else:
        ax.plot(x, y, color=colour, linewidth=1.0, linestyle=":")
    ax.errorbar(
        x, y, [y - low, high - y], color=colour, marker=marker, linestyle="none", elinewidth=1.5, capsize=0, label=name
    )
    return _FITTED if fits else _JOINED
