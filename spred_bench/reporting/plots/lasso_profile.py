"""Performance profile (Dolan & More 2002): the share of problems that a solver does within a factor of the best."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import colours

TASKS = ("lasso_scaling",)
_KEYS = ["data", "seed", "lambda_ratio"]


def draw(records: pd.DataFrame):
    """One curve per solver, on the time to the tightest target gap; problems are data set x strength x seed."""
    import matplotlib.pyplot as plt

    times = records[records["metric"] == "time_to_gap_s"]
    times = times[times["threshold"] == times["threshold"].min()]
    table = times.pivot_table(index=_KEYS, columns="method", values="value", sort=False, dropna=False).dropna(how="all")
    if len(table) < 4 or table.shape[1] < 2:
        return None  # a share of so few says nothing
    factors = table.div(table.min(axis=1), axis=0)
    palette = colours("solver", factors.columns)
    widest = 1.2 * float(np.nanmax(factors.to_numpy()))
    figure, ax = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
    for method in factors:
        finished = np.sort(factors[method].dropna())
        x = np.concatenate([[1.0], finished, [widest]])
        y = np.concatenate([[0.0], np.arange(1, len(finished) + 1), [len(finished)]]) / len(factors)
        ax.step(x, y, where="post", color=palette[method], label=label("solver", method))
    target = f"{times['threshold'].min():g}"
    ax.set(
        xscale="log",
        xlim=(1, widest),
        ylim=(0, 1.02),
        xlabel=f"time to gap {target}, as a multiple of the fastest solver's",
        ylabel=f"share of {len(factors)} problems",
    )
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
    return figure
