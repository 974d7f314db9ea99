"""Fig. 1: the L1 loss of one weight (left) and its redundant counterpart as contour maps (mid, right)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from spred_bench.reporting.plots._style import COLOURS, spread

TASKS = ("landscape",)
_LINES = ("-", "--", "-.", ":")
_MOST_ROWS = 4


def draw(records: pd.DataFrame):
    """Each row shows one strength: the L1 losses of all centres first, then the redundant loss of each centre.

    Several runs may have computed the same panel (a sweep over seeds): one is drawn. Returns None without a grid.
    """
    records = _one_run_each(records)
    grids, minima = (records[records["metric"] == metric] for metric in ("loss", "minimum"))
    panels = grids[grids["method"] == "redundant"]
    centres, strengths = sorted(panels["c"].unique()), spread(panels["kappa"].unique(), _MOST_ROWS)
    if not centres:
        return None
    shape = len(strengths), 1 + len(centres)
    size = 2.45 * shape[1], 2.5 * shape[0]
    figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="constrained")
    for (left, *others), kappa in zip(axes, strengths, strict=True):
        name = f", κ = {kappa:g}" if len(strengths) > 1 else ""
        here = [table[table["kappa"] == kappa] for table in (grids, minima)]
        _draw_l1(left, *(table[table["method"] == "l1"] for table in here), name)
        here = [table[table["method"] == "redundant"] for table in here]
        for ax, c in zip(others, centres, strict=True):
            filled = _draw_redundant(ax, *(table[table["c"] == c] for table in here), f"c = {c:g}{name}")
    bar = figure.colorbar(filled, ax=axes[:, 1:], shrink=0.9 / len(strengths), pad=0.02, extend="max")
    bar.set_label("L(u, v) − min L")
    return figure


def _one_run_each(records: pd.DataFrame) -> pd.DataFrame:
    """For every strength, centre and loss the rows of the run that has most of them: grids cannot be mixed."""
    keys = ["kappa", "c", "method"]
    sizes = records.groupby([*keys, "run_id"], sort=False).size()
    return records.set_index([*keys, "run_id"]).loc[list(sizes.groupby(keys, sort=False).idxmax())].reset_index()


def _draw_l1(ax, grid, minima, name: str) -> None:
    for i, (c, curve) in enumerate(grid.groupby("c")):
        colour, line = COLOURS[i % len(COLOURS)], _LINES[i % len(_LINES)]
        ax.plot(curve["w"], curve["value"], line, color=colour, label=f"c = {c:g}")
        for _, point in minima[minima["c"] == c].iterrows():
            ax.plot(point["w"], point["value"], "*", color=colour, markeredgecolor="k", markeredgewidth=0.5, ms=9)
            beside_the_curve = (17, -11) if point["w"] > 0 else (0, -12)
            _label(ax, f"w* = {point['w']:.3g}", (point["w"], point["value"]), beside_the_curve)
    ax.set(xlabel="w", ylabel=f"L(w) = (w − c)² + {_times(grid['l1_strength'])}|w|", title=f"L1 loss{name}")
    # The kinks and minima are near the bottom; the walls would flatten them.
    low = minima["value"].min()
    ax.set_ylim(low - 0.9, low + 5)
    ax.legend(loc="upper center")


def _draw_redundant(ax, grid, points, name: str):
    table = grid.pivot(index="v", columns="u", values="value")
    height, levels = table - points["value"].min(), np.array([0, 0.05, 0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.6, 3.6, 5.0])
    filled = ax.contourf(table.columns, table.index, height, levels, cmap="viridis_r", extend="max")
    ax.contour(table.columns, table.index, height, levels, colors="k", linewidths=0.3, alpha=0.6)
    ax.plot(points["u"], points["v"], "*", color="w", markeredgecolor="k", markeredgewidth=0.6, ms=10, ls="none")
    for _, point in points.iterrows():
        text = f"({point['u']:.3g}, {point['v']:.3g})".replace("-", "−")
        _label(ax, text, (point["u"], point["v"]), (0, -14))
    ax.set(xlabel="u", ylabel="v", title=f"redundant, {name}", aspect="equal")
    ax.grid(False)
    return filled


def _label(ax, text: str, at, offset) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "w", "edgecolor": "none", "alpha": 0.75}
    ax.annotate(text, at, offset, textcoords="offset points", ha="center", va="center", fontsize=7, bbox=box)


def _times(strength: pd.Series) -> str:
    return "" if strength.iloc[0] == 1 else f"{strength.iloc[0]:g} "
