"""Fig. 2 left and Fig. 6: stacked training is separate training, spred reaches the closed form, plain L1 does not."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from spred_bench import lasso, redundancy
from spred_bench.components.data.gaussian import Source as Gaussian
from spred_bench.components.data.orthogonal import Source as Orthogonal
from spred_bench.components.tasks.lasso_orthogonal import METHODS, Task, separated
from spred_bench.errors import UserError
from spred_bench.experiments import stacked_lasso
from spred_bench.lasso import LassoProblem
from spred_bench.reporting import plots
from spred_bench.running import runner

RATES = [1.0, 0.1, 0.01, 0.001]


def make_task(**changed) -> Task:
    """As scale=smoke, with fewer steps and strengths."""
    settings = {
        "data": {"orthogonal": Orthogonal(n_samples=20, n_features=8)},
        "learning_rates": RATES,
        "thresholds": [1e-3, 1e-6],
        "n_alphas": 3,
        "trajectory_alphas": [0.3, 2.3],
        "margin": 0.05,
        "max_steps": 2000,
        "n_trajectory_steps": 8,
        "n_seeds": 2,
    }
    return Task(**{**settings, **changed})


def rows_of(task: Task) -> pd.DataFrame:
    """All rows of a task as the table that figures and summaries get."""
    entries = [runner.run_cell(task, cell) for cell in task.cells()]
    assert [entry["note"] for entry in entries] == [""] * len(entries)
    return pd.DataFrame([{"task": "lasso_orthogonal", **row} for entry in entries for row in entry["rows"]])


@pytest.fixture(scope="module")
def task():
    return make_task()


@pytest.fixture(scope="module")
def rows(task):
    return rows_of(task)


def values(rows, metric, method):
    return rows[(rows["metric"] == metric) & (rows["method"] == method)]


def random_problems(n: int, p: int = 6) -> stacked_lasso.Problems:
    rng = np.random.default_rng(3)
    starts = rng.standard_normal((n, p))
    starts *= 0.1 / np.sqrt(np.mean(starts**2, axis=1, keepdims=True))
    return stacked_lasso.Problems(rng.standard_normal((n, p)), np.linspace(0.2, 2.0, n), starts)


def test_orthogonal_data_are_orthogonal():
    data = Orthogonal(n_samples=30, n_features=30).load(1)
    np.testing.assert_allclose(data.X.T @ data.X / 30, np.eye(30), atol=1e-12)
    assert np.array_equal(data.X, Orthogonal(n_samples=30, n_features=30).load(1).X)
    with pytest.raises(UserError, match="n_features=31"):
        Orthogonal(n_samples=30, n_features=31).check()


def test_another_design_is_refused_before_anything_runs():
    with pytest.raises(UserError, match=r"data=gaussian.*X'X / n = I"):
        make_task(data={"gaussian": Gaussian(n_samples=20, n_features=8)}).cells()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_stacked_training_is_separate_training(method):
    redundant, optimizer = METHODS[method]
    problems, rates = random_problems(4), [0.1, 0.01]
    options = {"redundant": redundant, "optimizer": optimizer}
    together = stacked_lasso.train_stacked(problems, rates, 300, **options)
    for i in range(len(problems)):
        for r, rate in enumerate(rates):
            one = stacked_lasso.Problems(problems.c[[i]], problems.alpha[[i]], problems.starts[[i]])
            alone = stacked_lasso.train_stacked(one, [rate], 300, **options)
            np.testing.assert_allclose(together.weights[r, i], alone.weights[0, 0], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("redundant", [True, False])
def test_the_loss_has_the_gradient_of_the_regression(redundant):
    data, alpha = Orthogonal(n_samples=20, n_features=6).load(0), 0.7
    X, y = torch.tensor(data.X), torch.tensor(data.Y)
    problems = stacked_lasso.Problems((data.X.T @ data.Y / 20)[None], np.array([alpha]), random_problems(1).starts)
    model = stacked_lasso.StackedLasso(problems, 1, redundant)
    ours = torch.autograd.grad(model.loss(), list(model.parameters()))
    w = model.weights()[0, 0]
    penalty = redundancy.penalty(model, alpha / 2) if redundant else alpha * w.abs().sum()
    theirs = torch.autograd.grad((y - X @ w).square().sum() / 40 + penalty, list(model.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_weights_started_on_the_wrong_side_cross_zero():
    c = np.array([[1.5, -1.5, 0.8, -0.8, 0.2, -0.2]])
    wrong = stacked_lasso.Problems(c, np.array([0.5]), -0.1 * np.sign(c))
    trained = stacked_lasso.train_stacked(wrong, [0.1], 1000, redundant=True, optimizer="gd")
    np.testing.assert_allclose(trained.weights[0], lasso.soft_threshold(c, 0.5), atol=1e-6)


def test_a_diverging_rate_leaves_the_others_as_they_are():
    problems = random_problems(3)
    with_wild = stacked_lasso.train_stacked(problems, [50.0, 0.1], 200, redundant=True, optimizer="gd")
    without = stacked_lasso.train_stacked(problems, [0.1], 200, redundant=True, optimizer="gd")
    assert with_wild.diverged.tolist() == [[True] * 3, [False] * 3]
    assert np.isfinite(with_wild.weights).all()
    assert np.array_equal(with_wild.weights[1], without.weights[0])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spred_gd", "spred_adam"])
def test_spred_reaches_the_closed_form_at_every_strength(rows, method):
    assert (values(rows, "support_agreement", method)["value"] == 1).all()
    error = values(rows, "relative_objective_error", method)["value"]
    assert len(error) == 5 * 2  # strengths: 3 of the grid, 2 followed; seeds
    assert error.between(-1e-12, 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["l1_gd", "l1_adam"])
def test_plain_l1_finds_no_zero(rows, method):
    tight = values(rows, "sparse_ratio", method).query("threshold == 1e-6")
    assert tight["value"].max() <= 1 / 8  # a weight may cross zero just then
    assert tight["value"].mean() < 0.05 < values(rows, "sparse_ratio", "closed_form")["value"].mean()


def test_the_rate_kept_has_the_best_objective(rows):
    ends, kept = values(rows, "final_objective", "spred_gd"), values(rows, "objective", "spred_gd")
    best = ends.groupby(["seed", "l1_strength"])["value"].min()
    pd.testing.assert_series_equal(kept.set_index(["seed", "l1_strength"])["value"].sort_index(), best)
    wild = ends[ends["status"] == "diverged"]
    assert len(wild) and wild["value"].isna().all() and set(wild["learning_rate"]) == {1.0}


def test_strengths_rows_and_seeds(rows):
    chosen = values(rows, "objective", "closed_form")
    assert (chosen["l1_strength"] == 2 * chosen["kappa"]).all()
    assert set(zip(chosen["seed"], chosen["init_seed"], strict=True)) == {(0, 1000), (1, 1001)}
    assert values(rows, "margin", "closed_form")["value"].min() >= 0.05 - 1e-9
    followed = values(rows, "trajectory_objective", "l1_adam")
    assert followed["l1_strength"].nunique() == 2
    assert followed["step"].min() == 0 and followed["step"].max() == 2000


def test_the_start_depends_on_the_initial_seed_alone():
    first, second = make_task()._instances("orthogonal")[0], make_task(init_seed=7)._instances("orthogonal")[0]
    assert np.array_equal(first.c, second.c) and not np.array_equal(first.start, second.start)


def test_kappa_replaces_the_grid():
    instances = make_task(kappa=0.15, margin=0.0)._instances("orthogonal")
    assert {instance.problem.alpha for instance in instances} == {0.3} and all(i.watched for i in instances)


@pytest.mark.parametrize("kappa", [0.05, 0.1, 0.2, 0.35])
def test_one_kappa_keeps_its_distance_like_the_grid(kappa):
    instances = make_task(kappa=kappa, margin=0.005)._instances("orthogonal")
    alpha = instances[0].problem.alpha
    assert abs(alpha - 2 * kappa) <= 0.05 and {instance.problem.alpha for instance in instances} == {alpha}
    assert min(np.abs(np.abs(instance.c) - alpha).min() for instance in instances) >= 0.005 - 1e-12


def test_kappa_zero_is_least_squares():
    assert make_task(kappa=0.0, margin=0.005)._instances("orthogonal")[0].problem.alpha == 0


def test_separated_moves_a_strength_no_further_than_needed():
    near = np.array([0.495, 0.52, 0.9])
    assert separated(0.7, near, 0.01, 0.05) == 0.7
    assert separated(0.5, near, 0.01, 0.05) == pytest.approx(0.505)
    assert np.abs(near - separated(0.5, near, 0.02, 0.05)).min() >= 0.02 - 1e-12
    crowded = np.arange(0, 1, 0.01)
    assert np.abs(crowded - separated(0.5, crowded, 0.02, 0.05)).min() == pytest.approx(0.005)


def test_tiny_strengths_stay_what_they_are():
    wanted = [1e-9, 2e-9, 1e-7]
    task = make_task(largest_alpha=3e-8, trajectory_alphas=wanted, n_seeds=1)
    alphas = sorted({instance.problem.alpha for instance in task._instances("orthogonal")})
    assert alphas == [1e-9, 2e-9, 1e-8, 2e-8, 3e-8, 1e-7]


def test_strengths_that_would_move_to_the_same_value_are_one():
    task = make_task(n_alphas=2, trajectory_alphas=[0.3, 0.3001], margin=0.2, n_seeds=1)
    alphas = [instance.problem.alpha for instance in task._instances("orthogonal")]
    assert len(set(alphas)) == len(alphas)


def test_summary_has_a_line_for_the_closed_form_and_each_method(task, rows):
    table = task.summary(rows)
    assert list(table["method"]) == ["closed_form", *METHODS]
    assert (table.set_index("method").loc[["spred_gd", "spred_adam"], "worst support @ 1e-06"] == 1).all()


@pytest.mark.slow
def test_figures_are_drawn_from_the_file_alone(rows, tmp_path):
    rows.to_csv(tmp_path / "records.csv", index=False)
    written = plots.draw_file(tmp_path)
    names = {path.name for path in written}
    assert {"lasso_orthogonal.png", "lasso_orthogonal_trajectories.png"} <= names
    assert all(path.stat().st_size > 5000 for path in written)


def test_figures_show_what_the_rows_say(rows):
    from spred_bench.reporting.plots import lasso_orthogonal, lasso_orthogonal_trajectories

    figure = lasso_orthogonal.draw(rows)
    loose, tight = figure.axes
    assert len(loose.lines) == len(tight.lines) == 5  # the closed form and four methods
    closed_form, spred = tight.lines[0], tight.lines[1]
    np.testing.assert_allclose(spred.get_ydata(), closed_form.get_ydata())
    plt.close(figure)

    figure = lasso_orthogonal_trajectories.draw(rows)
    assert len(figure.axes) == 4
    zeros, norm = figure.axes[0], figure.axes[2]
    assert len(zeros.lines) == 4 * 2 + 1 and len(norm.lines) == 4 + 1
    assert zeros.get_xscale() == "log"
    plt.close(figure)
    nothing = rows[rows["metric"] == "margin"]
    assert lasso_orthogonal.draw(nothing) is None and lasso_orthogonal_trajectories.draw(nothing) is None


def test_the_closed_form_is_optimal():
    data = Orthogonal(n_samples=20, n_features=8).load(0)
    problem = LassoProblem(data.X, data.Y, 0.4)
    _, gap = problem.certificate(lasso.orthogonal_solution(data.X, data.Y, 0.4))
    assert gap < 1e-12
