"""Fig. 5 left, Fig. 7: the weights of the largest convolutions after training, before anything is pruned."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import colours
from spred_bench.reporting.tables.frontier import TUNED, told_apart

TASKS = ("pruning",)
_STEP = 0.25  # decades; the bins
_SMALLEST = -6.25  # the first bin takes everything up to 1e-6
_LOSS = 0.02  # of accuracy


def draw(records: pd.DataFrame):
    """One panel per layer, first seed; of each method the largest kappa within two points of its best dev accuracy."""
    import matplotlib.pyplot as plt

    rows = told_apart(records[records["stage"] == "train"])
    counts = rows[rows["metric"] == "weight_count"]
    if counts.empty:
        return None
    for key in ("dataset", "model"):
        rows = rows[rows[key] == counts[key].iloc[0]]
    rows = rows[rows["seed"] == rows["seed"].min()]
    shown = _chosen(rows)
    counts = rows[rows["metric"] == "weight_count"]
    layers = counts["layer"].unique()
    decades = np.arange(_SMALLEST, np.log10(counts["threshold"].max()) + _STEP / 2, _STEP)
    shades = colours("method", rows["method"].unique())
    figure, axes = plt.subplots(
        1, len(layers), figsize=(2.6 * len(layers) + 0.6, 3.4), layout="constrained", squeeze=False, sharey=True
    )
    for ax, layer in zip(axes[0], layers, strict=True):
        for method, colour in shades.items():
            mine = counts[(counts["method"] == method) & (counts["layer"] == layer)]
            counted = np.zeros(len(decades))
            mine = mine[(mine[TUNED] == shown[method]).all(axis=1)]
            counted[np.rint((np.log10(mine["threshold"]) - decades[0]) / _STEP).astype(int)] = mine["value"]
            name = f"{label('method', method)}, $\\kappa$ = {shown[method]['kappa']:g}"
            edges = 10.0 ** np.append(decades, decades[-1] + _STEP)
            ax.stairs(counted / counted.sum(), edges, color=colour, linewidth=1.3, label=name)
        ax.set(xscale="log", yscale="log", xlabel="|w| (leftmost: up to 1e-6)", title=layer)
        ax.tick_params(labelleft=True)
    axes[0, 0].set_ylabel("share of the weights per bin")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure


def _chosen(rows: pd.DataFrame) -> dict[str, pd.Series]:
    dev = rows[(rows["metric"] == "accuracy") & (rows["split"] == "dev")]
    good = dev[dev["value"] >= dev.groupby("method")["value"].transform("max") - _LOSS]
    last = good.sort_values(["kappa", "value"]).groupby("method").tail(1)
    return {row["method"]: row[TUNED] for _, row in last.iterrows()}
