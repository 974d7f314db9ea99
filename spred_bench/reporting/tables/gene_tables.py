"""The tables of gene selection, functions of its rows alone."""

import pandas as pd

from spred_bench.reporting.labels import is_ours
from spred_bench.reporting.rows import LIST_END
from spred_bench.reporting.tables.intervals import bootstrap, corrected
from spred_bench.reporting.tables.stability import jaccard, stability

_DATA = ["dataset", "protocol"]
_METHOD = [*_DATA, "method"]
_TEST_SHARE = 0.2  # of every protocol


def accuracy_table(records: pd.DataFrame) -> pd.DataFrame:
    """Table 1: test accuracy with its 95 % bootstrap interval over samplings, and what was selected (medians).

    difference: accuracy minus that of `reference`, the first of spred's (else the first), on the same
    samplings; with its bootstrap interval and with the wider one that reckons with shared samples (corrected_*).
    Methods that were skipped or failed have a row with the reason.
    """
    test = records[(records["metric"] == "accuracy") & (records["split"] == "test")]
    rows = []
    for key, group in test.groupby(_DATA, sort=False):
        scores = group.pivot_table(index="seed", columns="method", values="value", sort=False)
        reference = next((name for name in scores if is_ours("selector", name)), scores.columns[0])
        for method in scores:
            own = scores[method].dropna()
            mean, low, high = bootstrap(own)
            row = {**dict(zip(_DATA, key, strict=True)), "method": method, "samplings": len(own)}
            row |= {"accuracy": mean, "low": low, "high": high}
            if method != reference:
                paired = (scores[method] - scores[reference]).dropna().round(12)
                row |= dict(zip(("difference", "difference_low", "difference_high"), bootstrap(paired), strict=True))
                row |= dict(zip(("corrected_low", "corrected_high"), corrected(paired, _TEST_SHARE), strict=True))
                row |= {"reference": reference}
            rows.append(row)
    missing = records[records["status"].isin(["skipped", "failed"])][[*_METHOD, "note"]].drop_duplicates()
    if not rows:
        return missing
    table = pd.DataFrame(rows).merge(_medians(records), on=_METHOD, how="left")
    table = table.merge(stability_table(records), on=_METHOD, how="left")
    first = [*_METHOD, "samplings", "accuracy", "low", "high", "selected", "stability", "jaccard", "fit_s"]
    table = table[[*first, *(name for name in table if name not in first)]]
    return pd.concat([table, missing]) if len(missing) else table


def _medians(records: pd.DataFrame) -> pd.DataFrame:
    wanted = {"n_selected": "selected", "fit_s": "fit_s", "planted_precision": "precision", "planted_recall": "recall"}
    chosen = records[records["metric"].isin(wanted)]
    table = chosen.pivot_table(index=_METHOD, columns="metric", values="value", aggfunc="median", sort=False)
    return table.rename(columns=wanted).reset_index()


def stability_table(records: pd.DataFrame) -> pd.DataFrame:
    """Stability and Jaccard index of each method over the samplings; blank where a list of features was cut."""
    rows = []
    for key, group in _selections(records).groupby(_METHOD, sort=False):
        sets = [set(_split(names)) for names in group["features"]]
        whole = all(len(chosen) == size for chosen, size in zip(sets, group["value"], strict=True))
        row = {**dict(zip(_METHOD, key, strict=True)), "stability": float("nan"), "jaccard": float("nan")}
        if whole:
            row |= {"stability": stability(sets, int(group["n_features"].iloc[0])), "jaccard": jaccard(sets)}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*_METHOD, "stability", "jaccard"])


def data_table(records: pd.DataFrame) -> pd.DataFrame:
    """Table 2: samples, pairs, features, labels by factor, majority rate, and the ceiling of contradictory labels."""
    described = records[records["method"].isna() & records["value"].notna()]
    rows = []
    for key, group in described.groupby(_DATA, sort=False):
        values = group.drop_duplicates("metric").set_index("metric")["value"]
        labels = group[group["metric"] == "n_labels"].drop_duplicates("factor")
        whole = {name: int(values[f"n_{name}"]) for name in ("samples", "pairs")}
        rows.append(
            {
                **dict(zip(_DATA, key, strict=True)),
                **whole,
                "features": int(group["n_features"].iloc[0]),
                "left out": int(values["n_constant_features"] + values["n_empty_features"]),
                "missing values": int(values["n_missing_values"]),
                "classes": int(group["n_classes"].iloc[0]),
                "labels by factor": ", ".join(labels["factor"] + " " + labels["value"].astype(int).astype(str)),
                "majority": values["majority_rate"],
                "ceiling": values["ceiling"],
            }
        )
    return pd.DataFrame(rows)


def gene_table(records: pd.DataFrame) -> pd.DataFrame:
    """Every feature ever selected, the most frequent first: its share of the samplings, and its mean rank in them."""
    found = []
    for key, group in _selections(records).groupby(_METHOD, sort=False):
        rows = [
            (feature, symbol, rank)
            for fields in zip(group["features"], group["symbols"], strict=True)
            for rank, (feature, symbol) in enumerate(_pairs(*fields), 1)
        ]
        genes = pd.DataFrame(rows, columns=["feature", "symbol", "rank"]).groupby(["feature", "symbol"], sort=False)
        table = genes["rank"].agg(["size", "mean"]).reset_index()
        table = table.assign(frequency=table["size"] / len(group), mean_rank=table["mean"])
        table = table.sort_values(["frequency", "mean_rank"], ascending=[False, True], kind="stable")
        table = table.assign(**dict(zip(_METHOD, key, strict=True)), rank=range(1, len(table) + 1))
        found.append(table[[*_METHOD, "rank", "feature", "symbol", "frequency", "mean_rank"]])
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def selecting(records: pd.DataFrame) -> list[str]:
    """Names of the methods that ever select a feature, in the order of the rows."""
    chosen = _selections(records)
    return list(chosen.loc[chosen["value"] > 0, "method"].unique())


def _selections(records: pd.DataFrame) -> pd.DataFrame:
    return records[records["metric"] == "n_selected"]


def _pairs(features, symbols):
    """(feature, gene symbol) of a selection; a feature is its own symbol where the field of symbols is empty."""
    return zip(_split(features), _split(symbols) or _split(features), strict=True)


def _split(names) -> list[str]:
    """The names in a field of the records; an empty field reads as NaN."""
    return names.split(LIST_END)[:-1] if isinstance(names, str) else []
