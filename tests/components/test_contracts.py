"""What every component must do, tried on all of them: a new file is covered the day it is added."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.linear_model import Lasso

from contracts import GROUPS, build_all
from spred_bench import lasso
from spred_bench.components import contract
from spred_bench.components.models.mlp import Mlp
from spred_bench.components.solvers._black_box import strengths_down_to
from spred_bench.errors import Skip
from spred_bench.experiments.judging.monitor import Monitor
from spred_bench.lasso import LassoProblem
from spred_bench.reporting import plots
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS, STATUSES
from spred_bench.running import listing, plan, runner
from spred_bench.sparse_coding import learning
from spred_bench.sparse_coding.learning import CodingProblem


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in plan.GROUPS for n in GROUPS[g]])
def test_yaml_holds_one_component_of_its_own_name_and_a_title(group, name):
    entry = yaml.safe_load((listing.config_dir() / group / f"{name}.yaml").read_text())
    assert list(entry) == [name]
    known = contract.parameters(contract.load_target(entry[name]["_target_"], name))
    assert set(entry[name]) - {"_target_", *contract.DECLARATIONS} <= set(known)
    assert listing.title(group, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["model"])
def test_models_are_reproducible_and_give_one_logit_per_class(name):
    for model in build_all("model", name).values():
        networks = [model.build((1, 8, 8), 3, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
        images = torch.rand(5, 1, 8, 8)
        first, second, other = (network(images) for network in networks)
        assert first.shape == (5, 3)
        assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize("name", GROUPS["method"])
def test_methods_cover_every_parameter_and_change_nothing(name):
    network = Mlp(6, 5, 3, bias="usual", generator=torch.Generator().manual_seed(0))
    images = torch.rand(4, 6)
    before = network(images)
    (method,) = build_all("method", name).values()
    method.prepare(network, torch.Generator().manual_seed(0))
    groups = method.parameter_groups(network, 0.3)
    grouped = [parameter for group in groups for parameter in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))
    strengths = [group["weight_decay"] for group in groups]
    assert method.penalty(network, 0.3) is not None or 0.6 in strengths
    assert method.penalty(network, 0.0) is None or method.penalty(network, 0.0) == 0
    network = method.finalize(network, 0.0)
    assert method.strengths and min(method.strengths) > 0
    if not method.redraws:
        torch.testing.assert_close(network(images), before, rtol=1e-5, atol=1e-6)
    assert {name for name, _ in network.named_parameters()} == set(Mlp(6, 5, 3, bias="usual").state_dict())


def lasso_problem(m=None, ratio=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = np.asfortranarray(rng.standard_normal((40, 30)))
    W = rng.standard_normal((30, m or 1)) * (rng.random((30, m or 1)) < 0.3)
    Y = X @ W + 0.1 * rng.standard_normal((40, m or 1))
    Y = Y[:, 0] if m is None else Y
    return LassoProblem(X, Y, ratio * lasso.lambda_max(X, Y))


def solve(solver, problem, target_gap=1e-6):
    monitor = Monitor(problem, [target_gap], time_limit_s=30.0)
    try:
        w = solver.solve(problem, monitor)
    except Skip as reason:
        pytest.skip(str(reason))
    return w, monitor


@pytest.mark.slow
@pytest.mark.parametrize("m", [None, 3])
@pytest.mark.parametrize("name", GROUPS["solver"])
def test_solvers_reach_the_objective_of_scikit_learn(name, m):
    problem = lasso_problem(m)
    reference = Lasso(alpha=problem.alpha, fit_intercept=False, tol=1e-12, max_iter=100_000)
    best = problem.objective(reference.fit(problem.X, problem.Y).coef_.T.reshape(problem.shape))
    solver = next(iter(build_all("solver", name).values()))
    # Also a thousandth of the null objective tells a wrong scaling (the paper's own code solved half the penalty).
    target = solver.gap
    assert target <= 1e-3
    w, monitor = solve(solver, problem, target)
    assert w.shape == problem.shape
    assert monitor.status == "done", f"gap {monitor.trace[-1].relative_gap:.1e}"
    assert best - 1e-9 <= problem.objective(w) <= best + 1.01 * target * problem.null_objective


@pytest.mark.slow
@pytest.mark.parametrize("m", [None, 2])
@pytest.mark.parametrize("name", GROUPS["solver"])
def test_solvers_return_zero_at_lambda_max(name, m):
    problem = lasso_problem(m, ratio=1.0)
    w, monitor = solve(next(iter(build_all("solver", name).values())), problem, 1e-6)
    scale = np.abs(np.linalg.lstsq(problem.X, problem.Y, rcond=None)[0]).max()
    # At the very threshold the gap grows with the square of w: sqrt(1e-6) is what it resolves.
    assert np.abs(w).max() <= 5e-3 * scale, monitor.trace[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["solver"])
def test_solvers_give_the_same_answer_twice(name):
    problem = lasso_problem()
    answers = [solve(next(iter(build_all("solver", name).values())), problem, 1e-2)[0] for _ in range(2)]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("name", GROUPS["solver"])
def test_solvers_take_a_float32_design_with_float64_targets(name):
    solver = next(iter(build_all("solver", name).values()))
    if solver.slow_start:
        pytest.skip("compiles for a minute")
    problem = lasso_problem()
    problem = LassoProblem(problem.X.astype(np.float32), problem.Y, problem.alpha)
    w, monitor = solve(solver, problem, 1e-2)
    assert w.shape == problem.shape and monitor.status != "diverged"  # a busy machine may reach the limit


@pytest.mark.parametrize("name", GROUPS["solver"])
def test_solvers_take_or_skip_a_strength_of_zero(name):
    problem = lasso_problem()
    w, _ = solve(next(iter(build_all("solver", name).values())), LassoProblem(problem.X, problem.Y, 0.0), 1e-2)
    assert np.isfinite(w).all()


@pytest.mark.parametrize("number", [1, 4])
def test_strengths_of_a_path_end_at_the_one_asked(number):
    problem = lasso_problem()
    path = strengths_down_to(problem, problem.Y, number)
    assert len(path) == number and path[-1] == pytest.approx(problem.alpha) and (np.diff(path) < 0).all()


def coding_problem():
    """Patches that are sparse in 12 hidden atoms, and others to judge on."""
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((500, 12)) * (rng.random((500, 12)) < 0.2)
    X = np.float32(4 * codes @ rng.standard_normal((12, 16)) + 0.05 * rng.standard_normal((500, 16)))
    return CodingProblem(X[:400], 12, 0.5, seed=0), X[400:]


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["learner"])
def test_learners_lower_the_objective_of_their_common_start(name):
    problem, held_out = coding_problem()
    (learner,) = build_all("learner", name).values()
    try:
        learned = learning.learn(learner, problem, held_out, time_limit_s=600.0, max_passes=20)
    except Skip as reason:
        pytest.skip(str(reason))
    start, end = learned.trace[0], learned.trace[-1]
    assert start.n_seen == 0 and learned.status == "done"
    assert learned.dictionary.shape == (16, 12) and np.isfinite(learned.dictionary).all()
    np.testing.assert_allclose(np.linalg.norm(learned.dictionary, axis=0), 1, rtol=1e-5)
    if not learner.learns:
        assert len(learned.trace) == 1
    else:
        assert end.objective < 0.9 * start.objective and end.n_seen >= 20 * 400


@pytest.fixture(scope="module")
def smoke_runs(tmp_path_factory):
    """Every task run once at scale=smoke; {task: (plan, result, records)}."""
    from hydra import compose, initialize_config_dir

    from spred_bench.running import composition

    composition.register_resolvers()
    folder = tmp_path_factory.mktemp("smoke")
    found = {}
    for name in GROUPS["task"]:
        with initialize_config_dir(version_base="1.3", config_dir=str(listing.config_dir())):
            cfg = compose("config", [f"task={name}", "scale=smoke", f"results_dir={folder}", f"data_dir={folder}"])
        assembled = composition.to_plan(composition.plain(cfg))
        result = runner.run(assembled, "test", report=lambda line: None)
        found[name] = assembled, result, pd.read_csv(result.path / "records.csv", low_memory=False)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["task"])
def test_tasks_run_at_smoke_scale_and_write_valid_records(name, smoke_runs):
    assembled, result, table = smoke_runs[name]
    assert isinstance(assembled, plan.Plan) and assembled.name == name
    assert result.cells["failed"] == 0 < result.cells["done"]
    expected = [*FIRST_COLUMNS, *assembled.task.key_columns, *LAST_COLUMNS]
    assert list(table.columns) == expected
    assert set(table["status"]) <= set(STATUSES)
    assert table["metric"].notna().all() and (table["task"] == name).all()
    penalised = table.dropna(subset=["kappa"])
    np.testing.assert_allclose(penalised["l1_strength"], 2 * penalised["kappa"])


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["task"])
def test_summary_and_figures_need_the_csv_alone(name, smoke_runs, tmp_path):
    assembled, result, table = smoke_runs[name]
    assert len(assembled.task.summary(table)) > 0
    written = plots.draw_file(result.path, output=tmp_path)
    assert len(written) >= 2 and all(path.stat().st_size > 5000 for path in written if path.suffix == ".png")


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["task"])
def test_figures_draw_the_merged_rows_of_a_sweep(name, smoke_runs, tmp_path):
    table = smoke_runs[name][2]
    stronger = {key: 2 * table[key] for key in ("kappa", "l1_strength") if key in table}
    runs = [table, table.assign(run_id="same"), table.assign(run_id="other", seed=table["seed"] + 1)]
    pd.concat([*runs, table.assign(run_id="stronger", **stronger)]).to_csv(tmp_path / "records.csv", index=False)
    run = smoke_runs[name][1].path
    if (run / "dictionaries").is_dir():  # files that rows name lie beside them
        shutil.copytree(run / "dictionaries", tmp_path / run.name / "dictionaries")
    alone = plots.draw_file(run, output=tmp_path / "alone")
    assert {path.name for path in plots.draw_file(tmp_path)} >= {path.name for path in alone}


@pytest.mark.slow
@pytest.mark.parametrize("name", GROUPS["task"])
def test_tasks_are_not_run_twice(name, smoke_runs):
    assembled, result, _ = smoke_runs[name]
    before = (result.path / "records.csv").read_bytes()
    again = runner.run(assembled, "test", report=lambda line: None)
    assert again.cells["done"] == again.reused == result.cells["done"]
    assert (result.path / "records.csv").read_bytes() == before
