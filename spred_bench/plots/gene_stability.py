"""Gene selection: how much of a selection returns on another sampling of the same data."""

import numpy as np
import pandas as pd

from spred_bench.gene_tables import stability_table
from spred_bench.plots._style import colours

TASKS = ("gene_selection",)
_MOST_PANELS = 6


def draw(records: pd.DataFrame):
    """Filled: stability, corrected for chance (Nogueira et al. 2018). Open: mean Jaccard index. By method."""
    import matplotlib.pyplot as plt

    table = stability_table(records).dropna(subset=["stability", "jaccard"], how="all")
    if table.empty:
        return None
    panels = list(table.groupby(["dataset", "protocol"], sort=False))[:_MOST_PANELS]
    methods = list(table["method"].unique())
    palette = colours(methods)
    size = (1.2 + 2.3 * len(panels), 1.2 + 0.22 * len(methods))
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for ax, (key, rows) in zip(axes[0], panels, strict=True):
        heights = [methods.index(method) for method in rows["method"]]
        shades = [palette[method] for method in rows["method"]]
        ax.hlines(heights, 0, rows["stability"], color=shades, linewidth=1)
        ax.scatter(rows["stability"], heights, c=shades, s=22, zorder=3)
        ax.scatter(rows["jaccard"], heights, facecolors="none", edgecolors=shades, s=22, zorder=3)
        ax.set(xlabel="stability (filled), Jaccard (open)", title=f"{key[0]}, {key[1]}", xlim=(-0.05, 1.05))
        ax.set_yticks(np.arange(len(methods)), methods)
        ax.grid(axis="y", visible=False)
    axes[0, 0].invert_yaxis()
    return figure
