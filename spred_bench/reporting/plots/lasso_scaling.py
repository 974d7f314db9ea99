"""Fig. 2 (right): what each solver needs to reach a certified gap, and how the gap falls with time."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._lasso import strength_labels
from spred_bench.reporting.plots._style import BAND, colours, legend_entries

TASKS = ("lasso_scaling",)
_MOST_PANELS = 12
_EDGE = 1.3e-8


def draw(records: pd.DataFrame):
    """One panel per problem: relative gap against time, median over seeds with the 20-80 % band."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    curves = records[records["metric"] == "relative_gap"].copy()
    if curves.empty:
        return None
    curves["strength"] = strength_labels(curves)
    places = {data: place for place, data in enumerate(curves["data"].unique())}
    order = curves.assign(place=curves["data"].map(places))
    curves = order.sort_values(
        ["place", "n_features", "n_targets", "kappa"], ascending=[True] * 3 + [False], kind="stable"
    )
    problems = list(curves.groupby(["data", "n_features", "n_targets", "strength"], sort=False))[:_MOST_PANELS]
    palette = colours("solver", curves["method"].unique())
    columns = min(4, len(problems))
    rows = -(-len(problems) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(2.3 * columns + 0.8, 2.0 * rows + 0.4),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    for ax in axes.flat[len(problems) :]:
        ax.set_axis_off()
    for ax, ((data, features, targets, strength), rows_of_problem) in zip(axes.flat, problems, strict=False):
        for method, rows_of_method in rows_of_problem.groupby("method", sort=False):
            _curve(ax, rows_of_method, palette[method], label("solver", method))
        several = f", {targets} targets" if targets > 1 else ""
        ax.set(xscale="log", yscale="log", ylim=(1e-8, 2), title=_title(data, features, several, strength))
        ax.yaxis.set_major_formatter(FuncFormatter(_decade))
        ax.xaxis.set_minor_formatter(NullFormatter())  # decades are labels enough
    for ax in axes[-1]:
        ax.set_xlabel("time (s)")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative duality gap")
    handles, names = legend_entries(axes)
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 7))
    return figure


def _title(data: str, features: int, several: str, strength: str) -> str:
    source, _, settings = data.rstrip("]").partition("[")
    told = [item.partition("=") for item in settings.split(",") if item and not item.startswith("n_")]
    words = {"truth": "{1}", "quadratic": "{0}"}  # what needs no "key value"
    told = [words.get(key, "{0} {1}").format(key, value) for key, _, value in told if value != "False"]
    return f"{', '.join([source, *told])}\np = {int(features):,}{several}, {strength}"


def _decade(value: float, _) -> str:
    """Label of a power of ten; the lowest stands for all values below it."""
    exponent = round(np.log10(value))
    return f"$\\leq 10^{{{exponent}}}$" if value <= 1.01e-8 else f"$10^{{{exponent}}}$"


def _curve(ax, rows: pd.DataFrame, colour, name: str) -> None:
    """Median and band of the gap on a common grid of times; a gap below the axis is drawn on its edge."""
    grid = np.geomspace(max(rows["time_s"].min(), 1e-5), rows["time_s"].max() * 1.0001, 80)
    curves = []
    for _, run in rows.sort_values("time_s").groupby("seed"):
        best = np.minimum.accumulate(run["value"].fillna(np.inf).to_numpy())
        index = np.searchsorted(run["time_s"].to_numpy(), grid, side="right") - 1
        curves.append(np.where(index >= 0, best[np.maximum(index, 0)], np.nan))
    low, middle, high = np.nanquantile(np.clip(curves, _EDGE, None), [*BAND[:1], 0.5, *BAND[1:]], axis=0)
    if len(grid[np.isfinite(middle)]) and np.ptp(rows["time_s"]) < 1e-12:
        ax.plot(grid[-1:], np.clip(middle[-1:], _EDGE, None), marker="o", color=colour, label=name, linestyle="none")
        return
    ax.plot(grid, middle, color=colour, label=name)
    ax.fill_between(grid, low, high, color=colour, alpha=0.2, linewidth=0)
