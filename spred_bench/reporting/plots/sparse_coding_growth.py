"""Fig. 3, growth: what a number of atoms and of patches does to the objective and to the time that it takes."""

import pandas as pd

from spred_bench.reporting.labels import is_ours, label
from spred_bench.reporting.plots._style import MARKERS, colours, legend_entries
from spred_bench.reporting.tables.learning_curves import median_time, times_to_best_peer

TASKS = ("sparse_coding",)
_AXES = {"n_atoms": "number of atoms k", "n_patches": "number of patches"}


def draw(records: pd.DataFrame):
    """One row of panels for each of the two numbers that varies, the other at its most frequent value."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    ends = records[records["metric"] == "final_objective"]
    varying = [column for column in _AXES if ends[column].nunique() > 1]
    if not varying:
        return None
    times = times_to_best_peer(records)
    palette = colours("learner", ends["method"].unique())
    figure, axes = plt.subplots(
        len(varying), 2, figsize=(6.8, 2.6 * len(varying) + 0.3), squeeze=False, layout="constrained"
    )
    for panels, column in zip(axes, varying, strict=True):
        other = next(name for name in _AXES if name != column)
        # The value of the other number at which most values of this one were run.
        at = ends.groupby(other)[column].nunique().idxmax()
        for ax, rows, value in ((panels[0], ends, "value"), (panels[1], times, "time_s")):
            for i, (method, run) in enumerate(rows[rows[other] == at].groupby("method", sort=False)):
                middle = run.groupby(column)[value].agg(median_time)
                style = {"color": palette[method], "linestyle": "-" if is_ours("learner", method) else "--"}
                ax.plot(middle.index, middle, marker=MARKERS[i % len(MARKERS)], label=label("learner", method), **style)
            ticks = sorted(ends[column].unique())
            ax.set(xscale="log", xlabel=_AXES[column], title=f"{_AXES[other]}: {at:g}")
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.minorticks_off()
        panels[0].set_ylabel("held-out objective at the end")
        panels[1].set(yscale="log", ylabel="time to the best peer's end (s)")
        panels[1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels[1].yaxis.set_major_formatter("{x:g}")
        panels[1].yaxis.set_minor_formatter(NullFormatter())
    handles, labels = legend_entries(axes)
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure
