"""Fig. 1: closed-form minima against brute force, the rows, and the figure drawn from them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from spred_bench.components.tasks import landscape
from spred_bench.components.tasks.landscape import Task
from spred_bench.errors import UserError
from spred_bench.reporting.plots import landscape as figure_file
from spred_bench.running import runner
from spred_bench.running.plan import assemble

AXIS = np.linspace(-2, 2, 401)  # steps of 0.01


def rows_of(task: Task) -> pd.DataFrame:
    """All rows of a task as the table that figures and summaries get."""
    entries = [runner.run_cell(task, cell) for cell in task.cells()]
    assert [entry["status"] for entry in entries] == ["done"] * len(entries)
    stamp = {"run_id": f"{task.n_grid} {task.kappa}", "task": "landscape"}
    return pd.DataFrame([{**stamp, **row} for entry in entries for row in entry["rows"]])


@pytest.mark.parametrize("kappa", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("c", [-1.5, 0.3, 0.5, 1.5])
def test_closed_form_minima_beat_every_point_of_a_grid(c, kappa):
    (minimum,) = landscape.l1_minima(c, kappa)
    on_grid = landscape.l1_loss(AXIS, c, kappa)
    assert landscape.l1_loss(minimum["w"], c, kappa) <= on_grid.min() + 1e-12
    assert abs(AXIS[on_grid.argmin()] - minimum["w"]) <= 0.0051

    U, V = np.meshgrid(AXIS, AXIS)
    surface = landscape.redundant_loss(U, V, c, kappa)
    for point in landscape.redundant_minima(c, kappa):
        value = landscape.redundant_loss(**point, c=c, kappa=kappa)
        assert value <= surface.min() + 1e-12
        assert value == pytest.approx(landscape.l1_loss(minimum["w"], c, kappa), abs=1e-12)
        assert point["u"] * point["v"] == pytest.approx(minimum["w"], abs=1e-12)


def test_the_minima_are_mirrored_where_the_weight_survives():
    first, second = landscape.redundant_minima(1.5, 0.5)
    assert first == {"u": 1.0, "v": 1.0}
    assert second == {"u": -1.0, "v": -1.0}
    opposite = landscape.redundant_minima(-1.5, 0.5)
    assert all(point["u"] == -point["v"] for point in opposite)
    # The figure's c = 0.5 lies exactly on the threshold kappa = 0.5: a single minimum, at the origin.
    assert landscape.redundant_minima(0.5, 0.5) == [{"u": 0.0, "v": 0.0}]


def test_rows_hold_both_grids_and_the_minima():
    task = Task(centres=[0.5, 1.5], n_points=5, n_grid=3)
    rows = rows_of(task)
    assert set(rows["kappa"]) == {0.5} and set(rows["l1_strength"]) == {1.0}
    counts = rows.groupby(["c", "method", "metric"]).size().to_dict()
    assert counts == {
        (0.5, "l1", "loss"): 5,
        (0.5, "l1", "minimum"): 1,
        (0.5, "redundant", "loss"): 9,
        (0.5, "redundant", "minimum"): 1,
        (1.5, "l1", "loss"): 5,
        (1.5, "l1", "minimum"): 1,
        (1.5, "redundant", "loss"): 9,
        (1.5, "redundant", "minimum"): 2,
    }
    assert len(task.summary(rows)) == 5


def test_kappa_moves_the_minimum_and_a_negative_one_is_refused():
    assert Task(centres=[1.5], kappa=1.0).kappa == 1.0
    assert landscape.l1_minima(1.5, 1.0) == [{"w": 0.5}]
    spec = {"_target_": "spred_bench.components.tasks.landscape.Task", "centres": [0.5]}
    with pytest.raises(UserError, match="kappa=-1"):
        assemble({"task": spec, "device": "cpu", "kappa": -1})


def test_the_figure_marks_every_minimum():
    figure = figure_file.draw(rows_of(Task(centres=[0.5, 1.5], n_points=41, n_grid=21)))
    left, middle, right, _colour_bar = figure.axes
    assert len(left.get_legend().get_texts()) == 2
    assert {tuple(np.round(line.get_xydata()[0], 6)) for line in left.lines if len(line.get_xydata()) == 1} == {
        (0.0, 0.25),
        (1.0, 1.25),
    }
    assert [text.get_text() for text in middle.texts] == ["(0, 0)"]
    assert [text.get_text() for text in right.texts] == ["(1, 1)", "(−1, −1)"]
    plt.close(figure)


def test_a_sweep_over_kappa_is_drawn_row_by_row():
    tasks = [Task(centres=[0.5], n_points=5, n_grid=n, kappa=kappa) for kappa in (0.2, 0.4, 0.8) for n in (5, 7)]
    figure = figure_file.draw(pd.concat([rows_of(task) for task in tasks]))
    titles = [ax.get_title() for ax in figure.axes[:-1]]
    assert titles[1::2] == [f"redundant, c = 0.5, κ = {kappa:g}" for kappa in (0.2, 0.4, 0.8)]
    assert all(len(ax.lines[0].get_xdata()) == 5 for ax in figure.axes[:-1:2])
    many = [rows_of(Task(centres=[0.5], n_points=5, n_grid=5, kappa=kappa)) for kappa in np.linspace(0.1, 1, 10)]
    titles = [ax.get_title() for ax in figure_file.draw(pd.concat(many)).axes[:-1]]
    assert titles[1::2] == [f"redundant, c = 0.5, κ = {kappa:g}" for kappa in (0.1, 0.4, 0.7, 1)]
    plt.close("all")


def test_no_grid_no_figure():
    rows = rows_of(Task(centres=[0.5], n_points=3, n_grid=3))
    assert figure_file.draw(rows[rows["metric"] == "minimum"]) is None
