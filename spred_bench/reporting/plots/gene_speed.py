"""What a selection of features costs against their number: time and memory of a fit, simulated and measured data."""

import pandas as pd

from spred_bench.reporting.plots._style import COLOURS, MARKERS

TASKS = ("gene_speed",)
# The four fits that scripts/benchmark_genes.py times.
_FITS = {
    "spred_linear": "spred, path of 12 points",
    "spred_linear_mlp": "spred with a network, one training",
    "hsic_lasso": "pyHSICLasso, one fit",
    "hsic_lasso_once": "pyHSICLasso, one fit, M = 1",
}


def draw(records: pd.DataFrame):
    """The fastest of the repeats, a band up to the slowest: lines for simulated data, empty markers for the rest."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    sizes = sorted(records.loc[records["dataset"] == "simulated", "n_features"].unique())
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 2.8), layout="constrained")
    panels = (("fit_s", "time of a fit (s)", 1.0), ("peak_bytes", "peak memory (GB)", 1e-9))
    for ax, (metric, label, unit) in zip(axes, panels, strict=True):
        rows = records[records["metric"] == metric]
        for i, method in enumerate(records["method"].unique()):
            style = {"color": COLOURS[i], "marker": MARKERS[i]}
            part = rows[rows["method"] == method]
            grouped = part[part["dataset"] == "simulated"].groupby("n_features")["value"]
            low, high = grouped.min() * unit, grouped.max() * unit
            ax.plot(low.index, low, label=_FITS.get(method, method), **style)
            ax.fill_between(low.index.to_numpy(dtype=float), low, high, color=COLOURS[i], alpha=0.2, linewidth=0)
            for _, measured in part[part["dataset"] != "simulated"].groupby("dataset"):
                ax.plot(measured["n_features"].iloc[0], measured["value"].min() * unit, mfc="white", **style)
        ax.set(xscale="log", yscale="log", xlabel="features", ylabel=label)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if metric == "peak_bytes" else (1,)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter(NullFormatter())
    for name, part in records[records["dataset"] != "simulated"].groupby("dataset"):
        axes[0].annotate(
            name,
            (part["n_features"].iloc[0], 1.0),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=6,
            ha="center",
            va="top",
        )
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure
