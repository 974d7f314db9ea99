"""The tables of the README and the documentation, each a function of the committed rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from spred_bench.reporting.claims import verdicts
from spred_bench.reporting.claims.measure import select
from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._pruning import TICKETS
from spred_bench.reporting.tables import frontier
from spred_bench.reporting.tables.gene_tables import accuracy_table
from spred_bench.reporting.tables.learning_curves import median_time

if TYPE_CHECKING:
    from written_numbers import Numbers

_PEERS = ("celer", "skglm", "adelie")
_method, _selector = partial(label, "method"), partial(label, "selector")


def claims_table(numbers: Numbers) -> str:
    """Verdicts counted by experiment."""
    counted = numbers.verdicts.groupby(["title", "verdict"], sort=False).size().unstack(fill_value=0)
    counted = counted.reindex(columns=verdicts.VERDICTS, fill_value=0)
    lines = [[title, *(str(count or "") for count in counts)] for title, counts in counted.iterrows()]
    return _lines(["", *verdicts.VERDICTS], lines)


def lasso_times(numbers: Numbers) -> str:
    """Medians over seeds of the seconds to a gap of 1e-6: a line per synthetic problem, the fastest in bold. "missed"
    where half of the runs did not get there in time."""
    wanted = {"folder": "fig2_scaling", "metric": "time_to_gap_s", "threshold": 1e-6}
    rows = select(numbers.records, {**wanted, "dataset": ["gaussian", "compressive"]})
    rows = rows.assign(ratio=rows["lambda_ratio"].round(6))
    keys = ["dataset", "n_features", "truth", "ratio"]
    times = rows.groupby([*keys, "method"], sort=False)["value"].agg(median_time).unstack()
    lines = []
    for (_, p, truth, ratio), line in times.iterrows():
        seconds = line[["spred_newton", *_PEERS]]
        shown = {method: "missed" if value != value else f"{value:.3g}" for method, value in seconds.items()}
        shown[line.idxmin()] = f"**{shown[line.idxmin()]}**"
        against_best = line["spred_newton"] / line[[*_PEERS]].min()
        size = f"{p:.0e}".replace("e+0", "e")
        lines.append([f"{truth}, {size}, {ratio:g}", *shown.values(), f"{against_best:.2f}"])
    return _lines(["truth, p, lambda/lambda_max", "spred (Newton)", *_PEERS, "spred / best peer"], lines)


def gene_accuracies(numbers: Numbers) -> str:
    """Test accuracy with its bootstrap interval, and the median number of features: a line per method."""
    rows = select(numbers.records, {"folder": "table1_genes", "protocol": "clean", "dataset": ["allaml", "glioma"]})
    names = rows["dataset"].unique()
    table = accuracy_table(rows).set_index(["method", "dataset"])
    head = ["", *(f"{name.upper()}: accuracy | features" for name in names)]
    lines = []
    for method in table.index.get_level_values("method").unique():
        found = [table.loc[(method, name)] for name in names]
        cells = [f"{one['accuracy']:.3f} {_interval(one, 'low', 'high')} | {one['selected']:g}" for one in found]
        lines.append([_selector(method), *cells])
    return _lines(head, lines)


def gene_differences(numbers: Numbers, dataset: str, protocol: str) -> str:
    """Table 1 of one data set: accuracy, features, the paired difference from spred (f_l) with both intervals."""
    rows = select(numbers.records, {"folder": "table1_genes", "protocol": protocol, "dataset": dataset})
    lines = []
    for _, one in accuracy_table(rows).iterrows():
        differs = one["difference"] == one["difference"]
        difference = f"{one['difference']:+.3f}" if differs else ""
        intervals = [
            _interval(one, f"{kind}_low", f"{kind}_high") if differs else "" for kind in ("difference", "corrected")
        ]
        stable = "" if one["stability"] != one["stability"] else f"{one['stability']:.2f}"
        numbers_of = [f"{one['accuracy']:.3f}", f"{one['selected']:g}", difference, *intervals, stable]
        lines.append([_selector(one["method"]), *numbers_of])
    differing = f"minus {_selector('spred_linear')}"
    return _lines(["", "accuracy", "features", differing, "bootstrap", "corrected", "stability"], lines)


def gene_times(numbers: Numbers) -> str:
    """The faster of two fits in seconds, and the peak memory of its process: a line per data set."""
    rows = select(numbers.records, {"task": "gene_speed", "metric": ["fit_s", "peak_bytes"]})
    keys = ["dataset", "n_samples", "n_features"]
    best = rows.pivot_table(index=keys, columns=["metric", "method"], values="value", aggfunc="min", sort=False)
    names = ("spred_linear", "spred_linear_mlp", "hsic_lasso", "hsic_lasso_once")
    lines = []
    for (dataset, n, d), one in best.sort_index(level="n_features").iterrows():
        both = [(one["fit_s", name], one["peak_bytes", name] / 1e9) for name in names]
        cells = ["not run" if seconds != seconds else f"{seconds:.2g} s, {bytes_:.2g} GB" for seconds, bytes_ in both]
        lines.append([f"{dataset}, {n:.0f} x {d:,.0f}", *cells])
    columns = ["spred (f_l), path of 12", "spred (f_l + f_n), one training", "HSIC-Lasso", "HSIC-Lasso, M = 1"]
    return _lines(["samples x features", *columns], lines)


def pruning_accuracies(numbers: Numbers) -> str:
    """Test accuracies after fine-tuning, medians over seeds at the kappa chosen on dev: a line per method."""
    table = frontier.by_method(select(numbers.records, {"folder": "fig5_small"})).set_index("method")
    columns = [column for column in table if column.endswith("x")]
    best = table[columns].max()
    lines = [[_method(method), *_bold(line, best)] for method, line in table[columns].iterrows()]
    return _lines(["compression", *columns], lines)


def pruning_strengths(numbers: Numbers) -> str:
    """The kappas and learning rates tried, and those chosen on dev at each compression: a line per method that prunes
    after training."""
    cells = frontier.cells(select(numbers.records, {"folder": "fig5_small"}))
    tried = {
        method: (_listed(rows["kappa"]), _listed(rows["learning_rate"])) for method, rows in cells.groupby("method")
    }
    chosen = frontier.chosen_on_dev(cells).groupby(["method", "compression"], sort=False)[frontier.TUNED].first()
    columns = sorted(cells["compression"].unique())
    lines = []
    for method, line in chosen.groupby("method", sort=False):
        kappas, rates = tried[method]
        if "," not in kappas:
            continue
        several = "," in rates
        settings = line.droplevel("method").loc[columns]
        picked = [f"{kappa:g}" + f", {rate:g}" * several for kappa, rate in settings.itertuples(index=False)]
        lines.append([_method(method), kappas, rates if several else "0.1", *picked])
    return _lines(["compression", "kappas", "rates", *(f"{c:g}x" for c in columns)], lines)


def _listed(values) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values.unique()))


def pruning_variants(numbers: Numbers, folder: str) -> str:
    """Accuracy on dev after fine-tuning at the strength best there: a line per variant, the best of a depth in bold."""
    chosen = frontier.chosen_on_dev(frontier.cells(select(numbers.records, {"folder": folder})))
    table = chosen.pivot_table(index="method", columns="compression", values="dev", sort=False).sort_index(axis=1)
    best = table.groupby(table.index.str.contains("depth3")).transform("max")
    lines = [[method, *_bold(line, best.loc[method])] for method, line in table.iterrows()]
    return _lines(["compression", *(f"{c:g}x" for c in table)], lines)


def zero_peaks(numbers: Numbers) -> str:
    """Shares of weights near zero in the three largest convolutions, and dev accuracy: medians over seeds."""
    rows = select(numbers.records, {"folder": "fig7_histograms"})
    peaks = select(rows, {"metric": "zero_peak"})
    keys = ["method", "threshold", "layer"]
    shares = peaks.groupby(keys, sort=False)["value"].median().unstack()
    accuracy = select(rows, {"metric": "accuracy", "split": "dev"}).groupby("method")["value"].median()
    lines = [
        [_method(method), f"{threshold:g}", *(f"{share:.4f}" for share in line), f"{accuracy[method]:.3f}"]
        for (method, threshold), line in shares.iterrows()
    ]
    return _lines(["weight decay 5e-4", "within", *shares, "dev accuracy"], lines)


def tickets(numbers: Numbers) -> str:
    """Test accuracy of masks trained again, and of the networks they are from: medians over seeds and their range."""
    rows = frontier.tickets(select(numbers.records, {"folder": "lottery_ticket"}))
    seeds = rows.groupby(["method", "compression", "ticket"], sort=False)["value"]
    found = seeds.agg(["median", "min", "max"])
    lines = []
    for method, ratio in dict.fromkeys(key[:2] for key in found.index):
        cells = (found.loc[(method, ratio, kind)] for kind in TICKETS)
        shown = (f"{one['median']:.3f} ({one['min']:.3f} to {one['max']:.3f})" for one in cells)
        lines.append([f"{_method(method)}, {ratio:g}x", *shown])
    return _lines(["", *TICKETS.values()], lines)


def planted_genes(numbers: Numbers) -> str:
    """Precision, recall and accuracy on simulated data, and accuracy where there is no signal: a line per method."""
    rows = select(numbers.records, {"folder": "planted_genes"})
    table = accuracy_table(rows).set_index(["dataset", "method"])
    lines = []
    for method in table.loc["expression"].index:
        found, none = table.loc[("expression", method)], table.loc[("no_signal", method)]
        known = ["" if found[name] != found[name] else f"{found[name]:.2f}" for name in ("precision", "recall")]
        accuracies = [f"{one['accuracy']:.3f} {_interval(one, 'low', 'high')}" for one in (found, none)]
        lines.append([_selector(method), f"{found['selected']:g}", *known, *accuracies])
    head = ["", "features", "precision", "recall", "accuracy", "accuracy without signal"]
    return _lines(head, lines)


def target_sparsities(numbers: Numbers) -> str:
    """Fine-tuned test accuracy and what the landing had to zero: a line per network and depth, means over seeds."""
    rows = select(numbers.records, {"folder": "target_sparsity"})
    named = rows["method"].str.extract(r"(\w+)\[target_sparsity=(.*)\]")
    rows = rows.assign(method=named[0], target=named[1].astype(float))
    keys = ["model", "method"]
    tuned = select(rows, {"metric": "fine_tuned_accuracy", "split": "test"})
    accuracy = tuned.pivot_table(index=keys, columns="target", values="value", sort=False)
    landed = select(rows, {"metric": "target_zeroed_by_landing"})
    landing = landed.pivot_table(index=keys, columns="target", values="value", sort=False)
    lines = [
        [
            f"{model}, {_method(method)}",
            *(f"{line[c]:.3f}, {landing.loc[(model, method), c]:.2g}" for c in sorted(accuracy)),
        ]
        for (model, method), line in accuracy.iterrows()
    ]
    return _lines(["", *(f"{c:g}" for c in sorted(accuracy))], lines)


def warm_starts(numbers: Numbers) -> str:
    """Dev accuracy of networks that go on from a dense one: a line per strength and split, means over seeds."""
    rows = select(numbers.records, {"folder": "warm_starts", "method": "spred"})
    means = rows.pivot_table(index=["kappa", "init"], columns="compression", values="value", sort=False)
    best = means.groupby("kappa").transform("max")
    lines = [[f"{key[0]:g}, {key[1]}", *_bold(line, best.loc[key])] for key, line in means.iterrows()]
    return _lines(["kappa, split", *("not pruned" if c == 1 else f"{c:g}x" for c in means)], lines)


def _bold(values, best) -> list[str]:
    """Three digits of each, the best of its column in bold, a missing one blank."""
    shown = ["" if value != value else f"{value:.3f}" for value in values]
    return [f"**{text}**" if value == top else text for text, value, top in zip(shown, values, best, strict=True)]


def _interval(row, low: str, high: str) -> str:
    return f"[{row[low]:.3f}, {row[high]:.3f}]"


def _lines(head: list[str], lines: list[list[str]]) -> str:
    """A table in Markdown; a cell may hold several, divided by bars."""
    width = sum(cell.count("|") + 1 for cell in head)
    return "\n".join([f"| {' | '.join(head)} |", "|---" * width + "|", *(f"| {' | '.join(line)} |" for line in lines)])


TABLES = {
    "claims": claims_table,
    "lasso_times": lasso_times,
    "gene_accuracies": gene_accuracies,
    "gene_differences": gene_differences,
    "gene_times": gene_times,
    "pruning_accuracies": pruning_accuracies,
    "pruning_strengths": pruning_strengths,
    "pruning_variants": pruning_variants,
    "zero_peaks": zero_peaks,
    "tickets": tickets,
    "planted_genes": planted_genes,
    "target_sparsities": target_sparsities,
    "warm_starts": warm_starts,
}
