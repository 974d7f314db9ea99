"""Fig. 1: the L1 loss of one weight (left) and its redundant counterpart as contour maps (mid, right)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from spred_bench.plots._style import COLOURS

TASKS = ("landscape",)
_LINES = ("-", "--", "-.", ":")


def draw(records: pd.DataFrame):
    """One panel for all L1 losses, one per centre for the redundant ones; None where there is no grid."""
    grids, minima = (records[records["metric"] == metric] for metric in ("loss", "minimum"))
    centres = sorted(grids.loc[grids["method"] == "redundant", "c"].unique())
    if not centres:
        return None
    figure, axes = plt.subplots(1, 1 + len(centres), figsize=(2.45 * (1 + len(centres)), 2.5), layout="constrained")
    _draw_l1(axes[0], grids[grids["method"] == "l1"], minima[minima["method"] == "l1"])
    filled = [
        _draw_redundant(ax, c, grids[grids["method"] == "redundant"], minima[minima["method"] == "redundant"])
        for ax, c in zip(axes[1:], centres, strict=True)
    ]
    bar = figure.colorbar(filled[-1], ax=axes[1:], shrink=0.9, pad=0.02, extend="max")
    bar.set_label("L(u, v) − min L")
    return figure


def _draw_l1(ax, grid, minima) -> None:
    for i, (c, curve) in enumerate(grid.groupby("c")):
        colour, line = COLOURS[i % len(COLOURS)], _LINES[i % len(_LINES)]
        ax.plot(curve["w"], curve["value"], line, color=colour, label=f"c = {c:g}")
        for _, point in minima[minima["c"] == c].iterrows():
            ax.plot(point["w"], point["value"], "*", color=colour, markeredgecolor="k", markeredgewidth=0.5, ms=9)
            beside_the_curve = (17, -11) if point["w"] > 0 else (0, -12)
            _label(ax, f"w* = {point['w']:.3g}", (point["w"], point["value"]), beside_the_curve)
    ax.set(xlabel="w", ylabel=f"L(w) = (w − c)² + {_times(grid['l1_strength'])}|w|", title="L1 loss")
    # The kinks and minima are near the bottom; the walls would flatten them.
    low = minima["value"].min()
    ax.set_ylim(low - 0.9, low + 5)
    ax.legend(loc="upper center")


def _draw_redundant(ax, c, grid, minima):
    table = grid[grid["c"] == c].pivot(index="v", columns="u", values="value")
    points = minima[minima["c"] == c]
    height, levels = table - points["value"].min(), np.array([0, 0.05, 0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.6, 3.6, 5.0])
    filled = ax.contourf(table.columns, table.index, height, levels, cmap="viridis_r", extend="max")
    ax.contour(table.columns, table.index, height, levels, colors="k", linewidths=0.3, alpha=0.6)
    ax.plot(points["u"], points["v"], "*", color="w", markeredgecolor="k", markeredgewidth=0.6, ms=10, ls="none")
    for _, point in points.iterrows():
        text = f"({point['u']:.3g}, {point['v']:.3g})".replace("-", "−")
        _label(ax, text, (point["u"], point["v"]), (0, -14))
    ax.set(xlabel="u", ylabel="v", title=f"redundant, c = {c:g}", aspect="equal")
    ax.grid(False)
    return filled


def _label(ax, text: str, at, offset) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "w", "edgecolor": "none", "alpha": 0.75}
    ax.annotate(text, at, offset, textcoords="offset points", ha="center", va="center", fontsize=7, bbox=box)


def _times(strength: pd.Series) -> str:
    return "" if strength.iloc[0] == 1 else f"{strength.iloc[0]:g} "
