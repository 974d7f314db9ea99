"""The vocabulary of the rules: rows are chosen, grouped, reduced, compared and summed up."""

import numpy as np
import pandas as pd
import pytest

from spred_bench.reporting.claims.measure import condition, measure, select
from spred_bench.reporting.claims.rules import Quantity, Statistic

ROWS = pd.DataFrame(
    {
        "method": ["a", "a", "a", "b", "b", "b"],
        "seed": [0, 1, 2, 0, 1, 2],
        "size": [1.0, 10.0, 100.0, 1.0, 10.0, 100.0],
        "value": [2.0, 4.0, 8.0, 1.0, 1.0, np.nan],
        "run_id": "r",
    }
)


def number(of: dict, per=("seed",), against=None, **options):
    statistic = Statistic(of=Quantity(**of), per=list(per), against=against and Quantity(**against), **options)
    found = measure(ROWS, statistic)
    return found and found.value


def test_groups_are_reduced_compared_and_summed_up():
    a, b = {"rows": {"method": "a"}}, {"rows": {"method": "b"}}
    assert number(a) == 4 and number(a, then="max") == 8 and number(a, then="share >= 4") == pytest.approx(2 / 3)
    assert number(a, then="geomean") == pytest.approx(4.0)
    assert number({**a, "take": "sum"}, per=[]) == 14
    assert number({**a, "take": "log_slope", "along": "size"}, per=[]) == pytest.approx(np.log10(2))
    found = measure(ROWS, Statistic(of=Quantity(**a), per=["seed"], against=Quantity(**b)))
    assert (found.value, found.n, found.missing) == (3.0, 2, 1)
    assert number(a, against=b, compare="difference", then="max") == 3
    assert number({"rows": {"method": "c"}}) is None and number({"rows": {"colour": "red"}}) is None


def test_a_rival_that_is_nowhere_is_missing_and_not_beaten():
    assert number({"rows": {"method": "a"}}, against={"rows": {"method": "c"}}) is None


def test_groups_of_one_side_are_missing_or_left_out():
    a, b = Quantity(rows={"method": "a"}), Quantity(rows={"method": "b", "seed": [0, 1]})
    found = {
        groups: measure(ROWS, Statistic(of=a, per=["seed"], against=b, groups=groups)) for groups in ("all", "both")
    }
    assert [(found[groups].n, found[groups].missing) for groups in found] == [(2, 1), (2, 0)]


def test_the_setting_is_chosen_on_dev_and_told_on_test():
    rows = pd.DataFrame(
        [
            {"kappa": kappa, "seed": seed, "split": split, "value": value}
            for kappa, dev, test in ((0.1, 0.9, 0.5), (0.2, 0.8, 0.7))
            for seed in (0, 1)
            for split, value in (("dev", dev), ("test", test + seed / 10))
        ]
    )
    of = {"rows": {"split": "test"}, "chosen": {"over": ["kappa"], "by": {"split": "dev"}}}
    found = measure(rows, Statistic(of=Quantity(**of), per=["seed"], then="mean"))
    assert found.value == pytest.approx(0.55) and found.n == 2  # 0.75 would be chosen on test


def test_a_target_is_reached_at_the_first_time_below_it():
    curve = pd.DataFrame({"method": "a", "metric": "objective", "time_s": [1.0, 2, 3], "value": [9.0, 4, 3], "seed": 0})
    end = pd.DataFrame({"method": ["b"], "metric": "final", "time_s": 60.0, "value": 4.5, "seed": 0})
    rows = pd.concat([curve, end])
    target = {"rows": {"metric": "final", "method": "b"}, "match": ["seed"]}
    reach = {"rows": {"metric": "objective", "method": "a"}, "take": "first_time", "along": target}
    assert measure(rows, Statistic(of=Quantity(**reach))).value == 2
    rows.loc[rows["metric"] == "final", "value"] = 1.0
    assert measure(rows, Statistic(of=Quantity(**reach))) is None


def test_series_settle_where_they_stay():
    series = pd.DataFrame({"step": [1, 2, 3, 4, 5], "value": [0.0, 0.5, 0.2, 0.51, 0.5], "run_id": "r"})
    found = measure(series, Statistic(of=Quantity(take="settled", along="step")))
    assert found.value == 4


def test_rows_are_chosen_by_value_list_and_condition():
    assert len(select(ROWS, {"method": ["a", "b"], "size": "> 1"})) == 4
    assert len(select(ROWS, {"size": 10.000000001})) == 2
    assert len(select(ROWS, {"value": "<= 100"})) == 5  # a missing value fulfils nothing


def test_the_interval_holds_the_value_and_says_what_it_is():
    values = pd.DataFrame({"seed": range(40), "value": np.linspace(0, 1, 40), "run_id": "r"})
    mean = Statistic(of=Quantity(), per=["seed"], then="mean")
    found = measure(values, mean)
    assert found.low < found.value < found.high and found.interval == "95 % bootstrap"
    assert found.high - found.low == pytest.approx(4 * 0.3 / 40**0.5, rel=0.2)
    assert measure(values[:3], mean).interval == "range"


@pytest.mark.parametrize(("text", "yes", "no"), [("<= 1", 1.0, 1.1), ("> -2", 0, -2), ("0.9 to 1.1", 0.9, 1.2)])
def test_conditions(text, yes, no):
    assert condition(text)(yes) and not condition(text)(no)
