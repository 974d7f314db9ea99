"""Gene selection: training loss and dev accuracy over steps, at the settings that the dev part chose."""

import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import BAND, colours
from spred_bench.reporting.tables.gene_tables import selecting

TASKS = ("gene_selection",)
_CURVES = (("curve_loss", "training loss"), ("curve_accuracy", "dev accuracy"))


def draw(records: pd.DataFrame):
    """Medians and a band over samplings, of the methods that train, on the first data set and protocol that has any."""
    import matplotlib.pyplot as plt

    curves = records[records["metric"].isin([metric for metric, _ in _CURVES])]
    if curves.empty:
        return None
    dataset, protocol = curves.iloc[0][["dataset", "protocol"]]
    curves = curves[(curves["dataset"] == dataset) & (curves["protocol"] == protocol)]
    palette = colours("selector", selecting(records))
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.9), layout="constrained")
    for ax, (metric, quantity) in zip(axes, _CURVES, strict=True):
        for method, rows in curves[curves["metric"] == metric].groupby("method", sort=False):
            # Samplings chose different settings and stop at different steps: each holds its last value.
            by_step = rows.pivot_table(index="step", columns="seed", values="value").ffill()
            low, middle, high = (by_step.quantile(q, axis=1) for q in (BAND[0], 0.5, BAND[1]))
            ax.plot(middle.index, middle, color=palette[method], label=label("selector", method))
            ax.fill_between(middle.index, low, high, color=palette[method], alpha=0.15, linewidth=0)
        ax.set(xlabel="step", ylabel=quantity)
    axes[0].set_title(f"{dataset}, {protocol}")
    axes[1].set_title(f"{curves['seed'].nunique()} samplings")
    axes[0].set_yscale("log")  # the L1 penalty of all weights, which one of them has in its loss, dwarfs the others
    handles, names = axes[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4)
    return figure
