"""Fig. 3, the learning: objective against time, active codes of a patch, orientations and frequencies."""

import numpy as np
import pandas as pd

from spred_bench.learning_curves import PROBLEM, is_peer, of_problem
from spred_bench.plots._style import BAND, colours

TASKS = ("sparse_coding",)


def draw(records: pd.DataFrame):
    """Four panels for one problem, the one with most rows, where there are several."""
    import matplotlib.pyplot as plt

    curves = records[records["metric"] == "objective"]
    if curves.empty:
        return None
    problem = curves.groupby(PROBLEM, sort=False).size().idxmax()
    records = of_problem(records, problem)
    palette = colours(records["method"].unique())
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    for method, rows in records.groupby("method", sort=False):
        style = {"color": palette[method], "linestyle": "--" if is_peer(method) else "-", "label": method}
        _objective(axes[0, 0], rows[rows["metric"] == "objective"], style)
        _histogram(axes[0, 1], rows[rows["metric"] == "active_codes_count"], style)
        _histogram(axes[1, 0], rows[rows["metric"] == "orientation_count"], style)
        _histogram(axes[1, 1], rows[rows["metric"] == "frequency_count"], style)
    _, patches, atoms, kappa = problem
    title = f"{records['dataset'].iloc[0]}, {patches:g} patches, k = {atoms}, $\\kappa$ = {kappa:g}"
    axes[0, 0].set(xscale="log", xlabel="time (s)", ylabel="held-out objective, Eq. (7)", title=title)
    axes[0, 1].set(xlabel="active codes of a patch", ylabel="fraction of patches", title="sparsity", yscale="log")
    axes[1, 0].set(xlabel="direction of the stripes (degrees)", ylabel="fraction of Gabor-like atoms")
    axes[1, 0].set(title="orientations", xticks=[0, 45, 90, 135, 180])
    axes[1, 1].set(xlabel="frequency (cycles a pixel)", ylabel="fraction of Gabor-like atoms", title="frequencies")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    shares = records[records["metric"] == "gabor_rate"].groupby("method")["value"].median()
    labels = [f"{label}, {shares[label]:.0%} Gabor-like" if label in shares else label for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    return figure


def _objective(ax, rows: pd.DataFrame, style: dict) -> None:
    """Median and band over seeds of the objective; what has one point only is a level across the panel."""
    times = rows[rows["time_s"] > 1e-3]["time_s"]
    if rows.groupby("seed").size().max() < 2 or times.empty:
        ax.axhline(rows["value"].median(), **style)
        return
    grid = np.geomspace(times.min(), times.max(), 120)
    runs = [run.sort_values("time_s") for _, run in rows.groupby("seed")]
    curves = [np.interp(np.log(grid), np.log(run["time_s"].clip(1e-3)), run["value"], np.nan, np.nan) for run in runs]
    low, middle, high = np.nanquantile(curves, [BAND[0], 0.5, BAND[1]], axis=0)
    ax.plot(grid, middle, **style)
    ax.fill_between(grid, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _histogram(ax, rows: pd.DataFrame, style: dict) -> None:
    """Counts over the bins that `threshold` begins, as fractions, seeds together."""
    counts = rows.groupby("threshold")["value"].sum()
    if counts.sum() == 0:
        return
    width = counts.index[1] - counts.index[0] if len(counts) > 1 else 1.0
    fine = width == 1.0
    ax.plot(counts.index + (0 if fine else width / 2), counts / counts.sum(), **style, marker="" if fine else "o")
