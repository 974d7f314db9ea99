"""What a selection of features costs against their number: time and memory of a fit, simulated and measured data."""

import pandas as pd

from spred_bench.plots._style import BAND, COLOURS, MARKERS

TASKS = ("gene_speed",)
_LABELS = {
    "spred_linear": "spred, path of 12 points",
    "spred_linear_mlp": "spred with a network, one training",
    "hsic_lasso": "pyHSICLasso, one fit",
    "hsic_lasso_once": "pyHSICLasso, one fit, M = 1",
}


def draw(records: pd.DataFrame):
    """Medians with the 20-80 % band, a line for the simulated data, empty markers for the measured sets."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(6.5, 2.8), layout="constrained")
    panels = (("fit_s", "time of a fit (s)", 1.0), ("peak_bytes", "peak memory of the process (GB)", 1e-9))
    for ax, (metric, label, unit) in zip(axes, panels, strict=True):
        rows = records[records["metric"] == metric]
        for i, method in enumerate(records["method"].unique()):
            style = {"color": COLOURS[i], "marker": MARKERS[i]}
            part = rows[rows["method"] == method]
            grouped = part[part["dataset"] == "simulated"].groupby("n_features")["value"]
            low, middle, high = (grouped.quantile(q) * unit for q in (BAND[0], 0.5, BAND[1]))
            ax.plot(middle.index, middle, label=_LABELS.get(method, method), **style)
            ax.fill_between(middle.index.to_numpy(dtype=float), low, high, color=COLOURS[i], alpha=0.2, linewidth=0)
            for _, measured in part[part["dataset"] != "simulated"].groupby("dataset"):
                ax.plot(measured["n_features"].iloc[0], measured["value"].median() * unit, mfc="white", **style)
        ax.set(xscale="log", yscale="log", xlabel="features", ylabel=label)
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
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure
