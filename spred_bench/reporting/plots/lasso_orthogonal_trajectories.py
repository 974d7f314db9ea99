"""Fig. 6: zeros at every threshold (top) and the L1 norm (bottom) over the steps, a column for each strength."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.lines import Line2D

from spred_bench.reporting.plots._style import spread
from spred_bench.reporting.plots.lasso_orthogonal import STYLES, zero_label

TASKS = ("lasso_orthogonal",)
_MOST_COLUMNS = 4
_LINES = ("-", (0, (2, 1.2)), ":")


def draw(records: pd.DataFrame):
    """Lines show the mean over seeds at each step.

    Returns None if no strength was followed.
    """
    zeros = records[records["metric"] == "trajectory_sparse_ratio"]
    norms = records[records["metric"] == "trajectory_l1_norm"]
    strengths = spread(zeros["l1_strength"].unique(), _MOST_COLUMNS)
    thresholds = sorted(zeros["threshold"].unique(), reverse=True)
    if not strengths:
        return None
    figure, axes = plt.subplots(
        2, len(strengths), figsize=(3.3 * len(strengths), 4.0), sharex=True, squeeze=False, layout="constrained"
    )
    optima = records[records["method"] == "closed_form"]
    for (top, bottom), strength in zip(axes.T, strengths, strict=True):
        at = [table[table["l1_strength"] == strength] for table in (zeros, norms, optima)]
        for method, (_, colour, *_rest) in STYLES.items():
            for threshold, line in zip(thresholds, _LINES, strict=False):
                _curve(top, at[0][at[0]["threshold"] == threshold], method, color=colour, linestyle=line)
            _curve(bottom, at[1], method, color=colour)
        for ax, metric in ((top, "sparse_ratio"), (bottom, "l1_norm")):
            ax.axhline(at[2].loc[at[2]["metric"] == metric, "value"].mean(), color="0.6", linewidth=4, zorder=1)
        top.set(title=f"α = {strength:.3g}", ylim=(-0.04, 1.04), xscale="log")
        bottom.set(xlabel="step", ylim=(0, None))
    axes[0][0].set_ylabel("share of zeros")
    axes[1][0].set_ylabel("L1 norm |w|₁")
    figure.legend(handles=_handles(thresholds), loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _curve(ax, rows: pd.DataFrame, method: str, **style) -> None:
    rows = rows[(rows["method"] == method) & (rows["step"] > 0)]  # the axis is logarithmic
    mean = rows.groupby("step")["value"].mean()
    ax.plot(mean.index, mean, linewidth=1.3, **style)


def _handles(thresholds) -> list[Line2D]:
    """Colours are methods, lines are thresholds."""
    methods = [Line2D([], [], color=colour, label=label) for label, colour, *_ in STYLES.values()]
    levels = [
        Line2D([], [], color="k", linestyle=line, label=zero_label(threshold))
        for threshold, line in zip(thresholds, _LINES, strict=False)
    ]
    return [*methods, Line2D([], [], color="0.6", linewidth=4, label="closed form"), *levels]
