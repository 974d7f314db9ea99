"""Fig. 3, the learning: objective against time, active codes of a patch, orientations and frequencies."""

from functools import partial

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import is_ours, label
from spred_bench.reporting.plots._style import BAND, colours
from spred_bench.reporting.tables.learning_curves import PROBLEM, best_of_both, of_problem

TASKS = ("sparse_coding",)
_MOST_BINS = 30  # of the numbers of active codes


def draw(records: pd.DataFrame):
    """Four panels for one problem, the largest, where there are several."""
    import matplotlib.pyplot as plt

    ends = records[records["metric"] == "final_objective"]
    if ends.empty:
        return None
    problem = ends.sort_values(["n_atoms", "n_patches"], kind="stable").iloc[-1]
    records = of_problem(records, list(problem[PROBLEM]))
    palette = colours("learner", records["method"].unique())
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    best = best_of_both(records)
    for method, rows in records.groupby("method", sort=False):
        style = {
            "color": palette[method],
            "linestyle": "-" if is_ours("learner", method) else "--",
            "label": label("learner", method),
        }
        _objective(axes[0, 0], rows[rows["metric"] == "objective"], style)
        _active_codes(axes[0, 1], rows[rows["metric"] == "active_codes_count"], style)
        if method in best:  # with all of them nothing can be seen
            _histogram(axes[1, 0], rows[rows["metric"] == "orientation_count"], style)
            _histogram(axes[1, 1], rows[rows["metric"] == "frequency_count"], style)
    size = f"{problem['n_patches']:g} patches, k = {problem['n_atoms']}, $\\kappa$ = {problem['kappa']:g}"
    axes[0, 0].set(xscale="log", xlabel="time (s)", ylabel="held-out objective, Eq. (7)")
    axes[0, 0].set_title(f"{problem['dataset']}, {size}")
    axes[0, 1].set(xlabel="active codes of a patch", ylabel="fraction of patches", title="sparsity", yscale="log")
    axes[1, 0].set(xlabel="direction of the stripes (degrees)", ylabel="fraction of Gabor-like atoms")
    axes[1, 0].set(title="orientations", xticks=[0, 45, 90, 135, 180], ylim=(0, None))
    axes[1, 1].set(xlabel="frequency (cycles a pixel)", ylabel="fraction of Gabor-like atoms", title="frequencies")
    handles, texts = axes[0, 0].get_legend_handles_labels()
    shares = records[records["metric"] == "gabor_rate"].groupby("method")["value"].median()
    shares.index = shares.index.map(partial(label, "learner"))
    texts = [f"{text}, {shares[text]:.0%} Gabor-like" if text in shares else text for text in texts]
    figure.legend(handles, texts, loc="outside lower center", ncols=min(len(texts), 3))
    return figure


def _objective(ax, rows: pd.DataFrame, style: dict) -> None:
    """Median and band over seeds of the objective; a learner that has no more than its start is a level."""
    learned = rows[rows["step"] > 0]
    if learned.empty:
        ax.axhline(rows["value"].median(), **style)
        return
    grid = np.geomspace(learned["time_s"].min(), learned["time_s"].max(), 120)
    runs = [run.sort_values("time_s") for _, run in learned.groupby("seed")]
    curves = [np.interp(np.log(grid), np.log(run["time_s"]), run["value"], np.nan) for run in runs]
    low, middle, high = np.nanquantile(curves, [BAND[0], 0.5, BAND[1]], axis=0)
    ax.plot(grid, middle, **style)
    ax.fill_between(grid, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _active_codes(ax, rows: pd.DataFrame, style: dict) -> None:
    """Distribution of the number of active codes, in bins wide enough to be smooth."""
    width = int(rows["threshold"].max() // _MOST_BINS + 1)
    binned = rows.assign(threshold=rows["threshold"] // width * width)
    _histogram(ax, binned, style, width)


def _histogram(ax, rows: pd.DataFrame, style: dict, width: float | None = None) -> None:
    """Counts over the bins that `threshold` begins, as fractions, seeds together."""
    counts = rows.groupby("threshold")["value"].sum()
    if counts.sum() > 0:
        width = counts.index[1] - counts.index[0] if width is None else width
        ax.plot(counts.index + (width - (width == 1)) / 2, counts / counts.sum(), **style)
