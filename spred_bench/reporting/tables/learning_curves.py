"""Reading curves against time off the rows of a task."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from spred_bench.reporting.labels import is_ours

PROBLEM = ["data", "n_patches", "n_atoms", "kappa"]


def median_time(times: pd.Series) -> float:
    """Median of times of which some (NaN) were not reached: those are the longest, and NaN where the middle is one."""
    middle = times.fillna(float("inf")).median()
    return middle if middle < float("inf") else float("nan")


def of_problem(records: pd.DataFrame, problem: Sequence) -> pd.DataFrame:
    """The rows of one problem, given by its values of PROBLEM."""
    for column, value in zip(PROBLEM, problem, strict=True):
        records = records[records[column] == value]
    return records


def best_of_both(records: pd.DataFrame) -> list[str]:
    """The learner of spred and the peer with the lowest objective at the end, medians over seeds, in this order."""
    ends = records[records["metric"] == "final_objective"].groupby("method")["value"].median().sort_values()
    halves = ([m for m in ends.index if is_ours("learner", m)], [m for m in ends.index if not is_ours("learner", m)])
    return [half[0] for half in halves if half]


def times_to_best_peer(records: pd.DataFrame) -> pd.DataFrame:
    """First judged time at which a learner is no worse than the best peer ends, per learner, problem and seed.

    The start that all share counts for nobody. Columns PROBLEM, method, seed, target (that end, the seed's own), time_s
    (NaN where the learner does not get there).
    """
    curves = records[(records["metric"] == "objective") & (records["step"] > 0)]
    ends = records[records["metric"] == "final_objective"]
    found, ours = [], partial(is_ours, "learner")
    for (*problem, seed), runs in curves.groupby([*PROBLEM, "seed"], sort=False):
        peers = of_problem(ends[(ends["seed"] == seed) & ~ends["method"].map(ours)], problem)
        target = peers["value"].min()
        for method, run in runs.groupby("method", sort=False):
            reached = run[run["value"] <= target * (1 + 1e-6)]["time_s"].min()
            found.append([*problem, method, seed, target, reached])
    return pd.DataFrame(found, columns=[*PROBLEM, "method", "seed", "target", "time_s"])
