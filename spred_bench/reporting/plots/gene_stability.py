"""Gene selection: how much of a selection returns on another sampling of the same data."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import colours
from spred_bench.reporting.tables.gene_tables import selecting, stability_table

TASKS = ("gene_selection",)
_MOST_PANELS = 12


def draw(records: pd.DataFrame):
    """Filled: stability, corrected for chance (Nogueira et al. 2018). Open: mean Jaccard index. By method."""
    import matplotlib.pyplot as plt

    table = stability_table(records).dropna(subset=["stability", "jaccard"], how="all")
    if table.empty:
        return None
    panels = list(table.groupby(["dataset", "protocol"], sort=False))[:_MOST_PANELS]
    palette = colours("selector", selecting(records))
    methods = [method for method in palette if method in set(table["method"])]
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    rows = -(-len(panels) // columns)
    size = (1.4 + 2.3 * columns, rows * (0.8 + 0.2 * len(methods)) + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    for ax, (key, own) in zip(axes.flat, panels, strict=False):
        heights = [methods.index(method) for method in own["method"]]
        shades = [palette[method] for method in own["method"]]
        ax.hlines(heights, 0, own["stability"], color=shades, linewidth=1)
        ax.scatter(own["stability"], heights, c=shades, s=22, zorder=3)
        ax.scatter(own["jaccard"], heights, facecolors="none", edgecolors=shades, s=22, zorder=3)
        ax.set(title=f"{key[0]}, {key[1]}", xlim=(-0.05, 1.05))
        ax.set_yticks(np.arange(len(methods)), [label("selector", method) for method in methods])
        ax.grid(axis="y", visible=False)
    for ax in list(axes.flat)[len(panels) :]:
        ax.remove()
    axes[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    figure.supxlabel("stability (filled), Jaccard index (open)", fontsize=9)
    return figure
