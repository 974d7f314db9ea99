"""Accuracy against compression: strength and rate chosen on dev, a sigmoid through the points; lottery tickets."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from spred_bench.reporting.tables.terminal import mark_best

TUNED = ["kappa", "learning_rate"]  # what is chosen on dev
RUN = ["dataset", "model", "method", *TUNED, "seed"]
_POINT = ["stage", "compression", "threshold", "ticket", "layer", "step", "split", "metric"]


def told_apart(records: pd.DataFrame) -> pd.DataFrame:
    """Rows of several runs, every measurement once.

    Runs repeated with the same outcome are one. Where they found different accuracies in the same cell they differ in a
    setting that rows do not hold, such as the epochs: the method's name then says which run it is. Rows written before
    there was a column `learning_rate` count as those of one rate.
    """
    rates = records["learning_rate"].fillna(0.0) if "learning_rate" in records else 0.0
    records = records.assign(learning_rate=rates)
    measurement = [key for key in (*RUN, *_POINT) if key in records]
    scores = records[records["metric"].str.endswith("accuracy")].drop_duplicates([*measurement, "value"])
    ambiguous = scores.loc[scores.duplicated(measurement, keep=False), "run_id"].unique()
    named = records["method"] + ", run " + records["run_id"]
    records = records.assign(method=records["method"].mask(records["run_id"].isin(ambiguous), named))
    return records.drop_duplicates(measurement)


def cells(records: pd.DataFrame) -> pd.DataFrame:
    """One line per pruned network: keys, `compression` as asked for, `ratio` as counted, accuracies dev and test.

    Without those that diverged: what is left of them is a network of an earlier step.
    """
    pruned = records[(records["stage"] == "prune") & records["compression"].notna()]
    pruned = told_apart(pruned[pruned["status"] != "diverged"])
    keys = [*RUN, "compression"]
    wide = pruned[pruned["metric"] == "fine_tuned_accuracy"]
    if wide.empty:
        return pd.DataFrame(columns=[*keys, "dev", "test", "ratio"])
    wide = wide.pivot_table(index=keys, columns="split", values="value", sort=False)
    ratio = pruned[pruned["metric"] == "compression_ratio"].drop_duplicates(keys).set_index(keys)["value"]
    # A network without any weight has no ratio: the compression asked for, a lower bound, stands for it.
    return wide.assign(ratio=ratio).reset_index().assign(ratio=lambda t: t["ratio"].fillna(t["compression"]))


def chosen_on_dev(table: pd.DataFrame) -> pd.DataFrame:
    """Of `cells`, those with the kappa and learning rate of the best mean dev accuracy over seeds, for each method and
    compression."""
    keys = ["dataset", "model", "method", "compression"]
    means = table.groupby([*keys, *TUNED], sort=False, as_index=False)["dev"].mean()
    best = means.loc[means.groupby(keys, sort=False)["dev"].idxmax(), [*keys, *TUNED]]
    return table.merge(best, on=[*keys, *TUNED])


def by_method(records: pd.DataFrame) -> pd.DataFrame:
    """Median test accuracy over seeds, a column per compression; and the compression at which half of what the sigmoid
    has above chance is lost."""
    keys = ["dataset", "model", "method"]
    table = chosen_on_dev(cells(records))
    wide = table.pivot_table(index=keys, columns="compression", values="test", aggfunc="median", sort=False)
    wide = wide.sort_index(axis=1).rename(columns="{:g}x".format)
    chance = 1 / records.groupby("dataset")["n_classes"].max()
    groups = table.groupby(keys, sort=False)
    fits = {key: fit_sigmoid(rows["ratio"], rows["test"], chance[key[0]]) for key, rows in groups}
    wide["half lost at"] = [fits[key].midpoint if fits[key] else float("nan") for key in wide.index]
    table = wide.reset_index()
    for column in wide.columns[:-1]:
        mark_best(table, column, keys[:2], largest=True)
    return table


def tickets(records: pd.DataFrame) -> pd.DataFrame:
    """Test accuracies of tickets and of the networks they come from, one data set and model; for each method the kappa
    and learning rate whose networks are best on dev."""
    records = told_apart(records)
    retrained = records[records["metric"] == "ticket_accuracy"]
    if retrained.empty:
        return retrained
    wanted = retrained[["dataset", "model", "compression"]].drop_duplicates().head(1)[["dataset", "model"]]
    tuned = records[
        (records["metric"] == "fine_tuned_accuracy") & records["compression"].isin(retrained["compression"])
    ]
    both = pd.concat([retrained, tuned.assign(ticket="fine-tuned")]).merge(wanted)
    dev = both[(both["split"] == "dev") & (both["ticket"] == "fine-tuned")]
    means = dev.groupby(["method", *TUNED], as_index=False)["value"].mean()
    best = means.loc[means.groupby("method")["value"].idxmax(), ["method", *TUNED]]
    return both[both["split"] == "test"].merge(best)


class Sigmoid(NamedTuple):
    """accuracy = floor + (top - floor) / (1 + exp(steepness (log10 compression - log10 midpoint)))."""

    top: float
    midpoint: float
    steepness: float

    def __call__(self, compression, floor: float):
        exponent = self.steepness * (np.log10(compression) - np.log10(self.midpoint))
        return floor + (self.top - floor) / (1 + np.exp(np.clip(exponent, -500, 500)))


def fit_sigmoid(compression, accuracy, floor: float) -> Sigmoid | None:
    """Least squares in log10 of the compression, (n,) each; `floor` is chance.

    None with less than four compressions, those within some per cent being one, or below twice chance. The midpoint is
    within a decade of the points.
    """
    from scipy.optimize import least_squares

    x, y = np.log10(np.asarray(compression, float)), np.asarray(accuracy, float)
    if len(np.unique(x.round(1))) < 4 or y.max() < 2 * floor:
        return None

    def residuals(values):
        top, middle, steepness = values
        return Sigmoid(top, 10**middle, steepness)(10**x, floor) - y

    bounds = ([floor, x.min() - 1, 0.1], [1.0, x.max() + 1, 20.0])
    start = [min(y.max(), 1 - 1e-6), np.median(x), 3.0]
    top, middle, steepness = least_squares(residuals, start, bounds=bounds, x_scale=[0.1, 1, 3]).x
    return Sigmoid(float(top), float(10**middle), float(steepness))
