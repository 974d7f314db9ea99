"""The theorems as rows: what they find on right problems, and that a wrong penalty would show."""

import numpy as np
import pandas as pd
import pytest

from spred_bench.components.tasks.theorems import Task
from spred_bench.experiments import equivalence
from spred_bench.running import runner


@pytest.mark.parametrize("problem", [equivalence.lasso, equivalence.logistic, equivalence.group_lasso])
def test_minima_of_products_are_those_found_without_them(problem):
    found = dict(problem(seed=3, kappa=0.1))
    assert found["objective_difference"] < 1e-10 and found["largest_difference"] < 1e-5
    assert found["support_agreement"] == 1 and found["imbalance"] < 1e-5


def test_a_penalty_off_by_two_would_show(monkeypatch):
    monkeypatch.setattr(equivalence, "asymmetric_strengths", lambda kappa, ratio: (2 * kappa, 2 * kappa))
    found = dict(equivalence.lasso(seed=3, kappa=0.1, unequal=True))
    assert found["objective_difference"] > 1e-3 and found["largest_difference"] > 1e-2


def test_local_minima_are_shared_both_ways():
    found = dict(equivalence.local_minima(seed=1, kappa=0.1))
    assert found["n_minima"] > 1
    assert found["ends_at_minimum"] == 1 and found["stays_at_minimum"] == 1


def test_factors_follow_linearly_or_by_the_root_at_zero():
    found = equivalence.variations(0, 0.2)
    rows = pd.DataFrame([{"metric": metric, "value": value, **keys} for metric, value, keys in found])

    def exponent(metric, at):
        part = rows[(rows["metric"] == metric) & (rows["at"] == at)]
        return np.polyfit(np.log(part["variation"]), np.log(part["value"]), 1)[0]

    assert exponent("factor_change", "weight") == pytest.approx(1, abs=0.01)
    assert exponent("factor_change", "zero") == pytest.approx(0.5, abs=0.01)
    assert exponent("slope_jump", "redundant") == pytest.approx(1, abs=0.01)
    assert exponent("slope_jump", "l1") == pytest.approx(0, abs=0.01)
    assert rows.loc[rows["metric"] == "objective_difference", "value"].max() < 1e-12


def test_the_top_level_kappa_replaces_the_strengths():
    task = Task(l1_strengths=[0.1, 0.4], n_seeds=2, kappa=0.3)
    assert {cell.keys["kappa"] for cell in task.cells()} == {0.3} and len(task.cells()) == 12
    entry = runner.run_cell(task, task.cells()[-1])
    assert entry["status"] == "done" and {row["l1_strength"] for row in entry["rows"]} == {0.6}
