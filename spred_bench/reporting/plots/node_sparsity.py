"""Fig. 4: norms of the nodes, node sparsity against kappa, weight against node sparsity; and what accuracy it costs."""

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import BAND, MARKERS, colours
from spred_bench.reporting.tables.lines import fit_line

TASKS = ("node_sparsity",)


def draw(records: pd.DataFrame):
    """Four panels, without networks that diverged; one data set, the one with most rows, where there are several."""
    import matplotlib.pyplot as plt

    records = records[records["status"] != "diverged"]
    table = _table(records)
    if table.empty:
        return None
    dataset = table["dataset"].value_counts().idxmax()
    table, records = table[table["dataset"] == dataset], records[records["dataset"] == dataset]
    series = {key: rows for key, rows in table.groupby(["method", "model"], sort=False)}
    methods = list(table["method"].unique())
    names = {model: _model_name(rows) for model, rows in table.groupby("model", sort=False)}
    # Colours tell the methods, markers and dashes the networks; of one method or network, both tell the other.
    by_model = len(methods) == 1 and len(names) > 1
    shades = colours("model", names) if by_model else colours("method", methods)
    palette = {(method, model): shades[model if by_model else method] for method, model in series}
    marked = list(names) if len(names) > 1 else methods
    markers = dict(zip(marked, MARKERS * len(marked), strict=False))

    figure, axes = plt.subplots(2, 2, figsize=(6.8, 5.6), layout="constrained")
    main = next(iter(series))  # Fig. 4 is about the first method
    _norms(axes[0, 0], records, series[main], names[main[1]], palette[main])
    for (method, model), rows in series.items():
        style = {"color": palette[method, model], "marker": markers.get(model) or markers[method]}
        style |= {"linestyle": "-" if model == next(iter(names)) else "--"}
        _against_kappa(axes[0, 1], rows, style, f"{label('method', method)}, {names[model]}")
        _accuracy(axes[1, 1], rows, style)
        if method == main[0]:
            _weights_against_nodes(axes[1, 0], rows, style, names[model])
    strengths = table["kappa"][table["kappa"] > 0]
    if len(strengths.unique()) > 1:
        axes[0, 1].set_xscale("log")
    axes[0, 1].set(xlabel=r"$\kappa$", ylabel="dead nodes", ylim=(-0.03, 1.03), title="node sparsity")
    title = f"weight sparsity, {label('method', main[0])}"
    axes[1, 0].set(xlabel="dead nodes", ylabel="zero weights", title=title)
    axes[1, 0].legend()
    axes[1, 1].set(xlabel="nodes removed", ylabel="test accuracy", title=f"without the dead nodes, {dataset}")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    return figure


def _table(records: pd.DataFrame) -> pd.DataFrame:
    """One line per trained network, the metrics as columns."""
    weights = records[records["metric"] == "weight_sparsity"]
    first = weights[weights["threshold"] == weights["threshold"].max()]
    test = records[(records["metric"] == "removed_accuracy") & (records["split"] == "test")]
    others = records[records["metric"] == "n_nodes"]
    keys = ["dataset", "method", "model", "activation", "bias", "hidden", "kappa", "seed"]
    chosen = pd.concat([first, test, others]).dropna(subset=["kappa"])
    if chosen.empty:
        return chosen
    table = chosen.pivot_table(index=keys, columns="metric", values="value", sort=False).reset_index()
    return table.assign(removed=1 - table["n_nodes"] / table["hidden"]).sort_values("kappa", kind="stable")


def _model_name(rows: pd.DataFrame) -> str:
    bias = {"input": "", "usual": ", usual bias", "none": ", no bias"}[rows["bias"].iloc[0]]
    name = rows["activation"].iloc[0]
    return {"relu": "ReLU", "gelu": "GELU"}.get(name, name) + bias


def _norms(ax, records: pd.DataFrame, rows: pd.DataFrame, name: str, colour: str) -> None:
    """Distribution of the outgoing norms at the strongest kappa that costs less than a tenth of the accuracy."""
    scores = rows.groupby("kappa")["removed_accuracy"].median()
    kappa = scores.index[scores >= 0.9 * scores.max()].max()
    chosen = records[records["metric"] == "outgoing_norm_count"]
    chosen = chosen[(chosen["method"] == rows["method"].iloc[0]) & (chosen["model"] == rows["model"].iloc[0])]
    counts = chosen[np.isclose(chosen["kappa"], kappa, rtol=1e-9)].groupby("threshold")["value"].sum()
    ax.bar(counts.index, counts / counts.sum(), width=counts.index * (10**0.25 - 1), align="edge", color=colour)
    ax.set(xscale="log", xlabel="norm of outgoing weights", ylabel="fraction of nodes")
    ax.set_title(f"nodes, {name}, $\\kappa$ = {kappa:g}")


def _against_kappa(ax, rows: pd.DataFrame, style: dict, name: str) -> None:
    rows = rows[rows["kappa"] > 0]
    low, middle, high = (rows.groupby("kappa")["removed"].quantile(q) for q in (BAND[0], 0.5, BAND[1]))
    ax.plot(middle.index, middle, label=name, **style)
    ax.fill_between(middle.index, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _weights_against_nodes(ax, rows: pd.DataFrame, style: dict, name: str) -> None:
    """All networks as points, and the line through them."""
    nodes, weights = rows["removed"], rows["weight_sparsity"]
    line = fit_line(nodes, weights)
    fitted = f": slope {line.slope:.2f}, $R^2$ {line.r_squared:.3f}" if np.isfinite(line.r_squared) else ""
    ax.plot(nodes, weights, label=name + fitted, **{**style, "linestyle": "none"})
    if fitted:
        ends = np.array([nodes.min(), nodes.max()])
        ax.plot(ends, line.intercept + line.slope * ends, color=style["color"], linestyle=style["linestyle"])


def _accuracy(ax, rows: pd.DataFrame, style: dict) -> None:
    ax.plot(rows["removed"], rows["removed_accuracy"], **{**style, "linestyle": "none"}, alpha=0.8)
