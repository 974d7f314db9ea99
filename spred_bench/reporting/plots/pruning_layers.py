"""How the zeros spread over the layers, at a high compression and after fine-tuning."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import MARKERS, colours
from spred_bench.reporting.tables import frontier

TASKS = ("pruning",)
_TARGET = 30.0


def draw(records: pd.DataFrame):
    """Share of weights kept, by layer; medians over seeds, kappa chosen on dev, compression nearest to 30.

    None where no weight is left at that compression.
    """
    import matplotlib.pyplot as plt

    records = frontier.told_apart(records)
    table = frontier.chosen_on_dev(frontier.cells(records))
    if table.empty:
        return None
    first = table[(table["dataset"] == table["dataset"].iloc[0]) & (table["model"] == table["model"].iloc[0])]
    ratio = min(first["compression"].unique(), key=lambda value: abs(np.log(value / _TARGET)))
    keys = [*frontier.RUN, "compression"]
    rows = records[(records["stage"] == "prune") & (records["metric"] == "layer_sparsity")]
    rows = rows.merge(first.loc[first["compression"] == ratio, keys], on=keys)
    layers = rows["layer"].unique()
    kept = rows.assign(kept=1 - rows["value"]).pivot_table(
        index="method", columns="layer", values="kept", aggfunc="median", sort=False
    )
    if not (kept > 0).any(axis=None):
        return None
    figure, ax = plt.subplots(figsize=(1.8 + 0.45 * len(layers), 3.8), layout="constrained")
    smallest = kept.to_numpy()[kept.to_numpy() > 0].min()
    for (method, colour), marker in zip(colours("method", kept.index).items(), MARKERS * len(kept), strict=False):
        shares = kept.loc[method, layers].clip(lower=smallest / 3)
        ax.plot(shares, color=colour, marker=marker, label=label("method", method))
    ax.set(yscale="log", ylabel="share of weights kept", title=f"{first['model'].iloc[0]}, compression {ratio:g}")
    ax.tick_params(axis="x", rotation=60)
    ax.set_xticks(
        range(len(layers)), [name.removesuffix(".weight") for name in layers], ha="right", rotation_mode="anchor"
    )
    figure.legend(loc="outside right center")
    return figure
