"""The task `lasso_scaling`: what its table says of several seeds."""

import pandas as pd
import pytest

from spred_bench.components.data.gaussian import Source
from spred_bench.components.solvers import fista
from spred_bench.components.tasks.lasso_scaling import Task
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS
from spred_bench.running.runner import run_cell

COLUMNS = [*FIRST_COLUMNS, *Task.key_columns, *LAST_COLUMNS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "column", "value"),
    [({"kappa": 0.05}, "kappa", 0.05), ({"lambda_ratios": [0.07]}, "lambda_ratio", 0.07)],
)
def test_a_line_is_the_median_over_seeds_at_its_strength(settings, column, value):
    task = Task(
        data={"gaussian": Source(n_samples=30, n_features=10)},
        solver={"fista": fista.Solver()},
        n_seeds=6,
        gap_targets=[1e-3],
        **{"lambda_ratios": [0.1], **settings},
    )
    table = pd.DataFrame([row for cell in task.cells() for row in run_cell(task, cell)["rows"]], columns=COLUMNS)
    summary = task.summary(table)
    assert len(summary) == 1 and summary[column].tolist() == [value] and summary["gap"].notna().all()
    assert set(table[column]) == {value}
