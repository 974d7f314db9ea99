"""The task: one judge for all learners, rows and files that belong together, bad input that ends in one line."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from spred_bench.components.data.photographs import Source
from spred_bench.components.learners import alternating_fista, minibatch_cd, random_patches, spams
from spred_bench.components.tasks.sparse_coding import Task
from spred_bench.errors import Skip, UserError
from spred_bench.reporting import plots
from spred_bench.reporting.tables.learning_curves import median_time, times_to_best_peer
from spred_bench.sparse_coding import encode, objective
from spred_bench.sparse_coding.gabor import fit_gabors
from spred_bench.sparse_coding.learning import CodingProblem, Monitor, learn, unit_columns
from spred_bench.sparse_coding.measures import measure_atoms, measure_codes


def make_task(**changes) -> Task:
    settings = {"n_atoms": [20], "kappas": [1.0], "time_limit_s": 60.0, "max_passes": 4}
    chosen = {
        "data": {"photographs": Source(side=6, n_patches=1500, n_held_out=100)},
        "learner": {"random_patches": random_patches.Learner(), "minibatch_cd": minibatch_cd.Learner()},
    }
    return Task(**{**chosen, **settings, **changes})


def rows_of(task: Task) -> pd.DataFrame:
    found = [{**cell.columns(), "status": "done", **row} for cell in task.cells() for row in task.run(cell)]
    known = {"dataset", "method", "seed", "step", "time_s", "split", "metric", "value", "status", "note"}
    assert set().union(*found) <= known | set(task.key_columns)
    return pd.DataFrame(found).assign(task="sparse_coding", run_id="0")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(rows, folder) of two learners, with the dictionaries kept."""
    task = make_task(n_atoms=[10, 20])
    task.run_folder = tmp_path_factory.mktemp("run")
    return rows_of(task), task.run_folder


def value(rows: pd.DataFrame, metric: str, **where) -> float:
    chosen = rows[rows["metric"] == metric]
    for column, wanted in where.items():
        chosen = chosen[chosen[column] == wanted]
    [found] = chosen["value"]
    return found


@pytest.mark.slow
def test_rows_say_what_the_kept_dictionary_is(run):
    rows, folder = run
    patches = Source(side=6, n_patches=1500, n_held_out=100).load(0)
    for (method, n_atoms), own in rows.groupby(["method", "n_atoms"]):
        [name] = own["file"].dropna()
        with np.load(folder.parent / name, allow_pickle=False) as kept:
            B, usage, r_squared = kept["dictionary"].astype(np.float32), kept["usage"], kept["r_squared"]
        assert B.shape == (36, n_atoms) and method in name
        solved = encode(patches.held_out, unit_columns(B), 1.0)
        again = objective(patches.held_out, unit_columns(B), solved.codes, 1.0)
        assert value(own, "final_objective") == pytest.approx(again, rel=1e-4)  # kept in half precision
        assert value(own, "alive_rate") == np.mean(usage > 0)
        assert value(own, "gabor_rate") == pytest.approx(np.mean(r_squared[usage > 0] >= 0.8))
        assert value(own, "final_objective") < value(own, "mean_square")
        np.testing.assert_allclose(own["l1_strength"], 2 * own["kappa"])
        counts = own[own["metric"] == "active_codes_count"]
        assert counts["value"].sum() == 100
        assert (counts["value"] * counts["threshold"]).sum() / 100 == pytest.approx(value(own, "final_active_codes"))


def test_learning_helps_and_all_learners_start_alike(run):
    rows, _ = run
    starts = rows[(rows["metric"] == "objective") & (rows["step"] == 0)].groupby("n_atoms")["value"].nunique()
    assert (starts == 1).all()
    for n_atoms in (10, 20):
        ends = {m: value(rows, "final_objective", method=m, n_atoms=n_atoms) for m in rows["method"].unique()}
        assert ends["minibatch_cd"] < ends["random_patches"]
    assert value(rows, "final_objective", method="random_patches", n_atoms=20) < value(
        rows, "final_objective", method="random_patches", n_atoms=10
    )


def test_a_learner_may_have_a_time_limit_of_its_own():
    rows = rows_of(make_task(n_atoms=[10], time_limits_s={"minibatch_cd": 1e-9}))
    assert rows.groupby("method")["time_limit_s"].unique().map(list).to_dict() == {
        "random_patches": [60.0],
        "minibatch_cd": [1e-9],
    }
    ends = rows[rows["metric"] == "final_objective"].set_index("method")["step"]
    assert ends["minibatch_cd"] == 256, "one step, and the time was over"
    with pytest.raises(UserError, match=r"task.time_limits_s.cd: no such learner here; there are random_patches, mini"):
        make_task(time_limits_s={"cd": 1.0})


@pytest.mark.slow
def test_figures_come_from_the_rows_and_the_files_beside_them(run, tmp_path):
    rows, folder = run
    rows.to_csv(folder / "records.csv", index=False)
    drawn = {path.name for path in plots.draw_file(folder, output=tmp_path)}
    assert {"sparse_coding.png", "sparse_coding_filters.png", "sparse_coding_growth.png"} <= drawn
    # Collected rows lie one folder above those of their runs.
    (tmp_path / folder.name).mkdir()
    (folder / "dictionaries").rename(tmp_path / folder.name / "dictionaries")
    rows.to_csv(tmp_path / "records.csv", index=False)
    assert plots.draw_file(tmp_path, ["sparse_coding_filters"], tmp_path)
    assert plots.draw_file(folder, ["sparse_coding_filters"], tmp_path) == []


def test_codes_that_are_small_are_told_from_zeros():
    B = np.eye(4, dtype=np.float32)
    X = np.float32([[5.0, 0.5, 0, 0], [1.2, 3.0, 0, 0], [0, 0, 0, 0]])
    rows, usage = measure_codes(X, B, 1.0, 1e-9)  # codes: soft thresholding, (4, 0), (0.2, 2), none
    rows = pd.DataFrame(rows)
    assert usage.tolist() == [2, 1, 0, 0]
    assert value(rows, "zero_rate", threshold=0.0) == value(rows, "zero_rate", threshold=1e-3) == 0.75
    expected = (1 + 0.25 + 2 * 4 + 1 + 1 + 2 * 2.2) / 3
    assert value(rows, "final_objective") == pytest.approx(expected, rel=1e-6)
    assert value(rows, "zeroed_objective") == pytest.approx(expected, rel=1e-6)
    assert value(rows, "final_active_codes") == 1.0 and value(rows, "alive_rate") == 0.5
    assert not pd.DataFrame(measure_atoms(fit_gabors(np.ones((16, 4))), usage > 9)).size


def test_the_judge_normalises_dictionaries():
    X = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    problem = CodingProblem(X, 3, 0.5, seed=0)
    monitor = Monitor(problem, X, time_limit_s=1e9, max_passes=None)
    B = problem.start()
    assert not monitor(0, lambda: np.concatenate([0.1 * B, 0 * B[:, :1]], axis=1))
    assert monitor.dictionary.shape == (4, 3)
    solved = encode(X, B, 0.5)
    assert monitor.trace[0].objective == pytest.approx(objective(X, B, solved.codes, 0.5), rel=1e-5)
    assert scipy.sparse.issparse(solved.codes)
    monitor(10**9, lambda: B * np.nan)
    assert monitor.status == "done" and len(monitor.trace) == 1, "not due: nobody asked"
    bounded = Monitor(problem, X, time_limit_s=1e9, max_passes=1)
    assert bounded(50, lambda: B * np.nan) and bounded.status == "diverged" and not bounded.trace


def test_a_learner_that_is_not_installed_is_skipped(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spams", None)
    with pytest.raises(Skip, match="pip install spams-bin"):
        learn(spams.Learner(), CodingProblem(np.eye(6, dtype=np.float32), 2, 0.1, 0), np.eye(6), 1.0)


def test_fista_reaches_the_codes_of_the_exact_solver():
    import torch

    problem = make_task().data["photographs"].load(0)
    B = CodingProblem(problem.train, 30, 1.0, 0).start()
    X = problem.held_out[:40]
    S = alternating_fista.fista(torch.from_numpy(X), torch.from_numpy(B), torch.zeros(40, 30), 1.0, 2000)
    assert objective(X, B, scipy.sparse.csr_matrix(S.numpy()), 1.0) == pytest.approx(
        objective(X, B, encode(X, B, 1.0).codes, 1.0), rel=1e-4
    )


def test_time_to_the_best_peer_is_the_first_as_good():
    columns = {"data": "d", "n_patches": 9, "n_atoms": 2, "kappa": 1.0, "seed": 0}
    curves = {"spams": [(1, 9.0), (2, 5.0)], "cd": [(1, 9.5), (2, 6.0)], "spred": [(0.1, 7.0), (0.2, 4.9), (0.3, 4.0)]}
    rows = [
        {**columns, "method": method, "metric": metric, "step": 1000 * time, "time_s": time, "value": value}
        for method, points in curves.items()
        for metric, chosen in (("objective", [(0, 4.5), *points]), ("final_objective", points[-1:]))
        for time, value in chosen
    ]
    table = times_to_best_peer(pd.DataFrame(rows)).set_index("method")
    assert table["time_s"].to_dict() == pytest.approx({"spams": 2, "cd": np.nan, "spred": 0.2}, nan_ok=True)
    assert (table["target"] == 5.0).all()


def test_a_median_time_counts_the_seeds_that_did_not_get_there():
    assert median_time(pd.Series([1.0, 2.0, np.nan])) == 2.0
    assert np.isnan(median_time(pd.Series([1.0, np.nan, np.nan])))
    assert np.isnan(median_time(pd.Series([1.0, np.nan])))


@pytest.mark.slow
def test_mistakes_end_in_one_line(cli, tmp_path):
    code, _, err = cli("task=sparse_coding", "scale=smoke", "task.n_atoms=[4000]")
    assert code == 2 and "task.n_atoms=4000" in err and "2000" in err and err.count("\n") == 1
    code, _, err = cli("task=sparse_coding", "data=natural_images", "data_dir=nowhere")
    assert code == 2 and "natural_images" in err and "no such folder" in err and err.count("\n") == 1
    code, _, err = cli("task=sparse_coding", "data=digits")
    assert code == 2 and "Patches" in err
    code, _, err = cli("task=sparse_coding", "data.photographs.whitening=pca")
    assert code == 2 and "'one_over_f'" in err
    code, _, err = cli("task=sparse_coding", "kappa=0")
    assert code == 2 and "kappa" in err
    code, _, err = cli("task=sparse_coding", "learner=mod")
    assert code == 2 and "unknown learner 'mod'" in err
