"""Fig. 2 left: share of zeros against the L1 strength, one panel per threshold, with the closed form."""

import math

import matplotlib.pyplot as plt
import pandas as pd

from spred_bench.reporting.plots._style import COLOURS

TASKS = ("lasso_orthogonal",)
# The task's own methods: label, colour, marker, marker size, line. Large and open markers under small and full ones:
# both can be seen on one curve.
STYLES = {
    "spred_gd": ("spred, GD", COLOURS[0], "o", 5.5, "none"),
    "spred_adam": ("spred, Adam", COLOURS[2], "x", 3.5, "none"),
    "l1_gd": ("L1, GD", COLOURS[1], "^", 3.5, "-"),
    "l1_adam": ("L1, Adam", COLOURS[3], "v", 3.5, "-"),
}


def zero_label(threshold: float) -> str:
    """'zero: |w| ≤ 10⁻³' where the threshold is a power of ten."""
    exponent = round(math.log10(threshold))
    power = math.isclose(threshold, 10.0**exponent)
    return "zero: |w| ≤ " + (f"$10^{{{exponent}}}$" if power else f"{threshold:g}")


def draw(records: pd.DataFrame):
    """Lines show the median over seeds, bands the range from 20 to 80 %.

    Returns None if no method has a share of zeros.
    """
    zeros = records[records["metric"] == "sparse_ratio"]
    closed_form, methods = zeros[zeros["method"] == "closed_form"], zeros[zeros["method"].isin(STYLES)]
    thresholds = sorted(methods["threshold"].unique(), reverse=True)
    if not thresholds:
        return None
    figure, axes = plt.subplots(
        1, len(thresholds), figsize=(3.3 * len(thresholds), 2.7), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, threshold in zip(axes[0], thresholds, strict=True):
        _curve(ax, closed_form, label="closed form", color="0.6", linewidth=4, zorder=1)
        for method, (label, colour, marker, size, line) in STYLES.items():
            part = methods[(methods["method"] == method) & (methods["threshold"] == threshold)]
            style = {"color": colour, "marker": marker, "ms": size, "mfc": "none", "mew": 1.0, "linestyle": line}
            _curve(ax, part, label=label, linewidth=1, zorder=3, **style)
        ax.set(xlabel="α = 2κ", title=zero_label(threshold), ylim=(-0.04, 1.04))
    axes[0][0].set_ylabel("share of zeros")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def _curve(ax, rows: pd.DataFrame, **style) -> None:
    """Median over seeds against the strength, with a band where it is a line."""
    if rows.empty:
        return
    spread = rows.groupby("l1_strength")["value"].quantile([0.2, 0.5, 0.8]).unstack()
    ax.plot(spread.index, spread[0.5], **style)
    if style.get("linestyle") != "none":
        ax.fill_between(spread.index, spread[0.2], spread[0.8], color=style["color"], alpha=0.2, linewidth=0)
