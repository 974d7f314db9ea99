"""Lottery tickets: the mask found, trained from the initialisation or an early epoch; a random mask for control."""

import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._pruning import TICKETS
from spred_bench.reporting.plots._style import BAND, COLOURS, MARKERS
from spred_bench.reporting.tables.frontier import tickets

TASKS = ("pruning",)


def draw(records: pd.DataFrame):
    """One panel per method, at the kappa of the best fine-tuned dev accuracy; medians and bands over seeds."""
    import matplotlib.pyplot as plt

    table = tickets(records)
    if table.empty:
        return None
    methods = table["method"].unique()
    figure, axes = plt.subplots(
        1, len(methods), figsize=(0.6 + 3.1 * len(methods), 3.3), layout="constrained", squeeze=False, sharey=True
    )
    for ax, method in zip(axes[0], methods, strict=True):
        rows = table[table["method"] == method]
        for (kind, name), colour, marker in zip(TICKETS.items(), COLOURS, MARKERS, strict=False):
            groups = rows[rows["ticket"] == kind].groupby("compression")["value"]
            middle, low, high = groups.median(), groups.quantile(BAND[0]), groups.quantile(BAND[1])
            ax.errorbar(
                middle.index, middle, [middle - low, high - middle], color=colour, marker=marker, label=name, capsize=0
            )
        ax.set(
            xscale="log",
            xlabel="compression ratio",
            title=f"{label('method', method)}, $\\kappa$ = {rows['kappa'].iloc[0]:g}",
        )
    axes[0, 0].set_ylabel("test accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
