"""The theorems: minima against solvers that see no product, how the factors follow w, and smoothness."""

import numpy as np
import pandas as pd

from spred_bench.reporting.plots._style import COLOURS, MARKERS, label_ends
from spred_bench.reporting.tables.lines import fit_line

TASKS = ("theorems",)
_PROBLEMS = {
    "lasso": "lasso",
    "lasso_unequal": "lasso, unequal",
    "logistic": "logistic",
    "group_lasso": "group lasso",
}
_ROUNDING = 1e-17  # a difference of zero is drawn here


def draw(records: pd.DataFrame):
    """Each point is one problem; lines show medians over seeds and strengths.

    Returns None without minima or variations.
    """
    import matplotlib.pyplot as plt

    differences = records[(records["metric"] == "objective_difference") & records["dataset"].isin(_PROBLEMS)]
    if differences.empty or records["variation"].notna().sum() == 0:
        return None
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 2.6), layout="constrained")
    for i, problem in enumerate(_PROBLEMS):
        values = differences.loc[differences["dataset"] == problem, "value"].clip(lower=_ROUNDING)
        beside = i + 0.3 * np.linspace(-1, 1, len(values))  # points of one problem side by side
        left.plot(values, beside, MARKERS[i], color=COLOURS[i], alpha=0.7)
    left.set(xscale="log", xlim=(_ROUNDING / 3, 1e-9), xlabel="difference of the objectives / objective at 0")
    left.set_yticks(range(len(_PROBLEMS)), _PROBLEMS.values())
    left.set_title("Theorems 1 and 4: equal minima")
    _lines(middle, records, "factor_change", {"weight": "at a weight", "zero": "at zero"})
    middle.set(xlabel="change of w", ylabel="change of u", title="Theorem 3: variations")
    _lines(right, records, "slope_jump", {"l1": "L1 loss", "redundant": "redundant loss"})
    right.set(xlabel="distance h from zero", ylabel="|L'(h) − L'(−h)|", title="Fig. 1: smoothness")
    figure.draw_without_rendering()  # settles the limits that labels are placed by
    for ax in (middle, right):
        label_ends(ax, apart=0.18)
    return figure


def _lines(ax, records: pd.DataFrame, metric: str, names: dict[str, str]) -> None:
    """Medians against the variation on logarithmic axes, the exponent in the label."""
    for i, (at, label) in enumerate(names.items()):
        rows = records[(records["metric"] == metric) & (records["at"] == at)]
        medians = rows.groupby("variation")["value"].median()
        exponent = fit_line(np.log(medians.index), np.log(medians)).slope
        text = f"{label}\n(exponent {abs(exponent):.2f})"
        ax.plot(medians.index, medians, marker=MARKERS[i], color=COLOURS[i], label=text)
    ax.set(xscale="log", yscale="log")
