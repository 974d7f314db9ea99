"""From rows to one number with an interval, in a closed vocabulary that a yaml file can be checked against.

Rows are chosen by `rows`, put into groups by `per`, and each group is reduced to one number (`take`). Where there is
an `against`, the numbers of equal groups are compared. `then` turns the groups into the number that is judged.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from spred_bench.reporting.tables.lines import fit_line

_COMPARISON = re.compile(r"(<=|>=|<|>)\s*(\S+)")
_BETWEEN = re.compile(r"(\S+) to (\S+)")
_N_RESAMPLES = 2000
_FEWEST_TO_RESAMPLE = 5  # below, the range is all that can honestly be told


def condition(text: str) -> Callable:
    """'<= 1.5' or '0.9 to 1.1' as a function of a number or an array. ValueError for anything else."""
    text = str(text).strip()
    if match := _COMPARISON.fullmatch(text):
        compare = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}[match[1]]
        return lambda value, bound=float(match[2]): compare(value, bound)
    if match := _BETWEEN.fullmatch(text):
        low, high = float(match[1]), float(match[2])
        return lambda value: (np.asarray(value) >= low) & (np.asarray(value) <= high)
    raise ValueError(f"'{text}': expected a comparison such as '<= 0.1', or a range such as '0.9 to 1.1'")


def select(records: pd.DataFrame, rows: Mapping) -> pd.DataFrame:
    """Rows whose columns have the given value, one of a list of values, or fulfil a condition such as '>= 1000'."""
    chosen = np.ones(len(records), bool)
    for column, wanted in rows.items():
        if column not in records:
            return records.iloc[:0]
        chosen &= _fits(records[column], wanted).to_numpy()
    return records[chosen]


def _fits(values: pd.Series, wanted) -> pd.Series:
    if isinstance(wanted, list):
        return pd.concat([_fits(values, one) for one in wanted], axis=1).any(axis=1)
    if isinstance(wanted, str) and _COMPARISON.fullmatch(wanted):
        return pd.Series(condition(wanted)(pd.to_numeric(values, errors="coerce")), index=values.index)
    if isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        # A strength computed twice may differ in its last digit.
        near = np.isclose(pd.to_numeric(values, errors="coerce"), wanted, rtol=1e-9, atol=0)
        return pd.Series(near, index=values.index)
    return values.astype(str) == str(wanted)


def _settled(group: pd.DataFrame) -> float:
    """The first `along` from which the values stay within 0.02 of the last."""
    group = group.sort_values("along")
    away = np.flatnonzero(np.abs(group["y"] - group["y"].iloc[-1]) > 0.02)
    return float(group["along"].iloc[away[-1] + 1 if len(away) else 0])


def _first_time(group: pd.DataFrame) -> float:
    """Seconds to the first value no larger than `along`, the target; NaN where it is not reached."""
    return group.loc[group["y"] <= group["along"] * (1 + 1e-6), "time_s"].min()


def _rank_correlation(group: pd.DataFrame) -> float:
    return float(group["along"].rank().corr(group["y"].rank()))


# How a group becomes a number, from its column y (and along).
TAKE: dict[str, Callable] = {
    **{name: lambda group, name=name: float(group["y"].agg(name, skipna=False)) for name in ("min", "max", "mean")},
    "median": lambda group: float(group["y"].median(skipna=False)),
    "best": lambda group: float(group["y"].min()),  # of rivals, some of which may not have finished
    "sum": lambda group: float(group["y"].sum(skipna=False)),
    "count": lambda group: float(len(group)),
}
ALONG: dict[str, Callable] = {
    "slope": lambda group: fit_line(group["along"], group["y"]).slope,
    "log_slope": lambda group: fit_line(np.log(group["along"]), np.log(group["y"])).slope,
    "r_squared": lambda group: fit_line(group["along"], group["y"]).r_squared,
    "rank_correlation": _rank_correlation,
    "settled": _settled,
    "first_time": _first_time,
}
COMPARE: dict[str, Callable] = {
    "ratio": lambda one, other: one / other,
    "difference": lambda one, other: one - other,
    "distance": lambda one, other: (one - other).abs(),
}
# How the groups become the number that is judged. `share <= 1` is the share of groups that fulfil the condition.
THEN: dict[str, Callable] = {
    "median": np.median,
    "mean": np.mean,
    "geomean": lambda values: np.exp(np.mean(np.log(values))),
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
}


@dataclass(frozen=True)
class Measurement:
    """A number, the interval it is known to, and what it rests on: n groups, `missing` more without a number."""

    value: float
    low: float
    high: float
    interval: str  # what low and high are
    n: int
    missing: int
    rows: pd.DataFrame = field(repr=False)


def measure(records: pd.DataFrame, statistic) -> Measurement | None:
    """The number of a `rules.Statistic`; None where the rows hold nothing for it."""
    then = statistic.then
    values, used = _grouped(records, statistic.of, statistic.per)
    if statistic.against is not None:
        others, also_used = _grouped(records, statistic.against, statistic.per)
        if statistic.groups == "of":
            others = others.reindex(values.index)
        # A group on one side only is a value missing, unless only those on both sides are wanted.
        paired = pd.concat([values, others], axis=1, join="inner" if statistic.groups == "both" else "outer")
        values = COMPARE[statistic.compare](paired.iloc[:, 0], paired.iloc[:, 1])
        used = pd.concat([used, also_used])
    if not values.notna().any():
        return None
    found = values[np.isfinite(values)].to_numpy(float)
    reduce = _reducer(then)
    low, high, interval = _interval(found, reduce, then)
    missing = int(len(values) - len(found))
    return Measurement(float(reduce(found)), low, high, interval, len(found), missing, used)


def _reducer(then: str) -> Callable:
    if then.startswith("share "):
        fulfils = condition(then.removeprefix("share "))
        return lambda values: np.mean(fulfils(values))
    return THEN[then]


def _grouped(records: pd.DataFrame, quantity, per: list[str]) -> tuple[pd.Series, pd.DataFrame]:
    """One number per group, and the rows they come from."""
    rows = select(records, quantity.rows)
    if rows.empty or not {quantity.column, *per} <= set(rows):
        return pd.Series(dtype=float), rows.iloc[:0]
    if quantity.chosen is not None:
        tuning = select(records, {**quantity.rows, **quantity.chosen.by})
        rows = _best_setting(rows, tuning, quantity.chosen.over, [column for column in per if column != "seed"])
    rows = rows.assign(y=pd.to_numeric(rows[quantity.column], errors="coerce"))
    if isinstance(quantity.along, str):
        rows = rows.assign(along=pd.to_numeric(rows[quantity.along], errors="coerce"))
    elif quantity.along is not None:
        others = select(records, quantity.along.rows)[[*per, *quantity.along.match, "value"]]
        rows = rows.merge(others.rename(columns={"value": "along"}), on=[*per, *quantity.along.match])
    reduce = ALONG[quantity.take] if quantity.take in ALONG else TAKE[quantity.take]
    keys = [_key(rows[column]) for column in per]
    if not keys:
        return pd.Series({"all": reduce(rows)}, dtype=float), rows
    groups = {key: reduce(group) for key, group in rows.groupby(keys, sort=False, dropna=False)}
    return pd.Series(groups, dtype=float), rows


def _best_setting(rows: pd.DataFrame, tuning: pd.DataFrame, over: list[str], within: list[str]) -> pd.DataFrame:
    """Rows whose setting (their values of `over`) has the largest mean in `tuning`, for each value of `within`."""
    over = [column for column in over if column in rows]  # rows of an earlier version may have fewer
    means = tuning.groupby([*within, *over], as_index=False, dropna=False)["value"].mean().dropna(subset="value")
    means = means.sort_values("value", ascending=False, kind="stable").drop(columns="value")
    best = means.drop_duplicates(within) if within else means.head(1)
    return rows.merge(best, on=[*within, *over])


def _key(values: pd.Series) -> pd.Series:
    """Text, so that missing keys meet missing keys; floats to nine digits, so that rounding parts no group."""
    numbers = pd.api.types.is_float_dtype(values)
    return values.map(lambda value: f"{value:.9g}" if numbers else str(value))


def _interval(values: np.ndarray, reduce: Callable, then: str) -> tuple[float, float, str]:
    few = len(values) < _FEWEST_TO_RESAMPLE
    if len(values) < 2 or then == "sum" or (few and then.startswith("share ")):
        return float("nan"), float("nan"), ""
    if few or then in ("min", "max"):
        return float(values.min()), float(values.max()), "range"
    draws = np.random.default_rng(0).choice(values, (_N_RESAMPLES, len(values)))
    low, high = np.quantile([reduce(draw) for draw in draws], [0.025, 0.975])
    return float(low), float(high), "95 % bootstrap"
