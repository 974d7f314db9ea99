"""The command line as a user meets it: exit codes, one-line errors, resuming, sweeps."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

TINY = ("scale=smoke", "data=diabetes", "data.diabetes.quadratic=false", "solver=[cd,lars]")


def run_directories(folder):
    return sorted(path.parent for path in folder.glob("results/*/*/run.json"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kapa=1"], "unknown key kapa; did you mean 'kappa'?"),
        (["+kapa=1"], "unknown key kapa; did you mean 'kappa'?"),
        (["kappa=abc"], "kappa=abc: input should be a valid number"),
        (["kappa=-1"], "kappa=-1: input should be greater than or equal to 0"),
        (["kappa=nan"], "kappa=nan: input should be a finite number"),
        (["kappa=1,2"], "kappa=1,2: several values need -m"),
        (["seed=-1"], "seed=-1"),
        (["data.gaussian.n_features=10"], "data.gaussian: n_nonzero=20 of n_features=10; truth=dense has them all"),
        (["scale=big"], "scale=big: input should be 'smoke', 'cpu' or 'paper'"),
        (["device=tpu0"], "device='tpu0'"),
        (["task=lasso"], "unknown task 'lasso'"),
        (["solver=cdd"], "unknown solver 'cdd'"),
        (["task=node_sparsity", "method=[foo]"], "unknown method 'foo'"),
        (["solver.cd.max_iter=0"], "solver.cd.max_iter=0"),
        (["task=gene_selection", "solver=cd"], "this task takes no solver"),
        (["+solver.cd.tol=1"], "unknown key solver.cd.tol; known: max_iter"),
        (["task.lambda_ratios=[2]"], "task.lambda_ratios"),
        (["data=file"], "data.file.path is not set"),
        (["data=file", "data.file.path=nowhere.npz"], "path=nowhere.npz: no such file"),
        (["results_dir=/proc/results"], "results_dir=/proc/results: cannot write"),
        (["-m", "kappa=0.1,-2"], "kappa=-2"),
        (["kappa=[1"], "a list is written [a,b] without spaces"),
        (["task=3"], "task=3: expected a name; see spred-bench list task"),
        (["model=[18]"], "model=[18]: expected a name"),
        (["-m", "task=1,2"], "task=1: expected a name"),
        (["=3"], "=3: expected key=value"),
        (["experiment=fig2_lef"], "unknown experiment 'fig2_lef'; did you mean 'fig2_left'?"),
        (["-m", "experiment=fig1,fig2_lef"], "unknown experiment 'fig2_lef'"),
        (["experiment=null"], "experiment=null: expected a name; see spred-bench list experiment"),
        (["solver=[]"], "solver=[]: task=lasso_scaling needs at least one"),
        (["-m", "seed=0,1", "hydra.launcher.n_jobs=-1"], "hydra.launcher.n_jobs=-1: expected a whole number from 1 on"),
        (["-m", "seed=0,1", "hydra.launcher.threads=two"], "hydra.launcher.threads=two: expected a whole number"),
        (["--config-dir=nowhere"], "--config-dir nowhere: not a folder"),
        (["--config-name=nowhere"], "Cannot find primary config 'nowhere'"),
        (["--confg-dir=mine"], "unrecognized arguments: --confg-dir=mine"),
        (["scael=smoke", "--cfg", "job"], "unknown key scael; did you mean 'scale'?"),
        (["lst"], "unknown verb 'lst'; did you mean 'list'?"),
        (["collect"], "not a folder"),
        (["plot", "nowhere.csv"], "nowhere.csv"),
        (["info", "nobody"], "no such component"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_writes_nothing(cli, tmp_path, words, message):
    code, _, err = cli(*words)
    assert code == 2
    assert message in err
    assert err.startswith("spred-bench: error: ") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": np.array([[1.0, np.nan], [2.0, 3.0]]), "y": np.ones(2)}, "X has 1 entries that are NaN"),
        ({"X": np.eye(3), "y": np.ones(2)}, "X has shape (3, 3), y (2,)"),
        ({"X": np.eye(3), "target": np.ones(3)}, "holds X, target"),
        ({"X": np.array([["a"]]), "y": np.ones(1)}, "not numeric"),
        (b"<html>", "not a .npz file, or a damaged one"),
    ],
)
def test_bad_data_files_are_named_before_anything_is_written(cli, tmp_path, content, message):
    path = tmp_path / "own.npz"
    path.write_bytes(content) if isinstance(content, bytes) else np.savez(path, **content)
    code, _, err = cli("data=file", "data.file.path=own.npz", "solver=cd")
    assert code == 2 and message in err and "own.npz" in err and err.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npz", "mat", "svm"])
def test_own_data_files_run(cli, tmp_path, kind):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 5)), rng.standard_normal(20)
    if kind == "npz":
        np.savez(tmp_path / "own.npz", X=X, y=y)
    elif kind == "mat":
        from scipy.io import savemat

        savemat(tmp_path / "own.mat", {"X": X, "y": y})
    else:
        from sklearn.datasets import dump_svmlight_file

        dump_svmlight_file(X, y, str(tmp_path / "own.svm"))
    code, _, _ = cli("data=file", f"data.file.path=own.{kind}", "solver=cd", "scale=smoke")
    assert code == 0
    manifest = json.loads((run_directories(tmp_path)[0] / "run.json").read_text())
    assert len(manifest["data"]["file"]["sha256"]) == 64


@pytest.mark.slow
def test_a_run_ends_with_a_table_and_files_and_is_not_repeated(cli, tmp_path):
    code, out, err = cli(*TINY)
    assert code == 0 and err == ""
    assert "lasso_scaling: 4 done, 0 failed, 0 skipped" in out and "records.csv" in out
    (run,) = run_directories(tmp_path)
    assert {path.name for path in run.iterdir()} >= {"run.json", "config.yaml", "records.csv", "lasso_scaling.png"}
    before = (run / "records.csv").read_bytes()
    assert "4 done (4 from an earlier run)" in cli(*TINY)[1]
    assert (run / "records.csv").read_bytes() == before
    assert "4 done, 0" in cli(*TINY, "force=true")[1]
    assert run_directories(tmp_path) == [run]


@pytest.mark.slow
def test_kappa_is_the_paper_s(cli, tmp_path):
    assert cli(*TINY, "kappa=0.5", "solver=cd")[0] == 0
    table = pd.read_csv(run_directories(tmp_path)[0] / "records.csv")
    assert set(table["kappa"]) == {0.5} and set(table["l1_strength"]) == {1.0}


@pytest.mark.slow
def test_a_sweep_makes_one_run_per_value_and_collect_merges_them(cli, tmp_path):
    code, out, _ = cli("-m", *TINY, "solver=cd", "kappa=0.5,1,2")
    assert code == 0 and "3 runs: 3 done" in out
    assert len(run_directories(tmp_path)) == 3
    assert cli("collect")[0] == 0
    table = pd.read_csv(tmp_path / "results/lasso_scaling/records.csv")
    assert set(table["kappa"]) == {0.5, 1.0, 2.0} and table["run_id"].nunique() == 3
    assert len(pd.read_csv(tmp_path / "results/lasso_scaling/runs.csv")) == 3
    assert cli("plot", "results/lasso_scaling", "--output", "figures")[0] == 0
    assert (tmp_path / "figures/lasso_scaling.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_failing_cell_leaves_a_traceback_and_the_others(cli, tmp_path, monkeypatch):
    from spred_bench.components.solvers import fista

    def broken(self, problem, monitor):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(fista.Solver, "solve", broken)
    words = (*TINY, "solver=[cd,fista]")
    code, out, _ = cli(*words)
    assert code == 1 and "2 done, 2 failed" in out
    (run,) = run_directories(tmp_path)
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["status"] == "failed" and "no such luck" in next(iter(manifest["tracebacks"].values()))
    code, out, err = cli(*TINY, "solver=[fista]")  # nothing at all was measured
    assert code == 1 and "0 done, 2 failed" in out and err == ""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert "4 done (2 from an earlier run)" in cli(*words)[1]


def test_flags_may_stand_anywhere(cli, tmp_path):
    (tmp_path / "mine" / "solver").mkdir(parents=True)
    (tmp_path / "mine" / "solver" / "own.yaml").write_text(
        "own:\n  _target_: spred_bench.components.solvers.cd.Solver\n"
    )
    words = ["scale=smoke", "--config-dir=mine", "solver=[own]", "--cfg", "job", "seed=3"]
    code, out, _ = cli(*words)
    assert code == 0 and "seed: 3" in out and "own:" in out


def test_prepare_reads_the_same_configurations_as_a_run(cli, tmp_path):
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "own.yaml").write_text(
        "own:\n  _target_: spred_bench.components.data.gaussian.Source\n"
    )
    code, out, _ = cli("prepare", "--config-dir=mine", "data=[own]")
    assert code == 0 and "own: ready" in out


def test_list_and_info_answer(cli):
    assert "lasso_scaling" in cli("list")[1]
    assert "solver:" not in cli("list", "data")[1]
    assert "_target_: spred_bench.components.solvers.cd.Solver" in cli("info", "solver/cd")[1]


def stable(path):
    """The rows without what a clock or the memory wrote."""
    table = pd.read_csv(path).drop(columns="time_s")
    return table[~table["metric"].str.endswith(("_s", "_bytes"))].reset_index(drop=True)


KILLED = ["scale=smoke", "data=diabetes", "solver=[cd,lars]", "task.n_seeds=8", "task.time_limit_s=1e9"]


def spred_bench(folder, *words, **options):
    """The command line as a real process, in `folder`."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "spred_bench", *words]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Rows of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    assert spred_bench(folder, *KILLED).wait() == 0
    return stable(next(folder.glob("results/*/*/records.csv")))


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_ends_with_the_rows_of_one_never_killed(tmp_path, whole, signum):
    process = spred_bench(tmp_path, *KILLED)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("results/*/*/cells.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.02)
    process.send_signal(signum)
    code = process.wait(timeout=120)
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[signum]
    assert spred_bench(tmp_path, *KILLED).wait() == 0
    pd.testing.assert_frame_equal(stable(next(tmp_path.glob("results/*/*/records.csv"))), whole)


def test_the_configuration_is_shown_with_the_values_of_its_scale(cli):
    code, out, _ = cli("task=pruning", "scale=paper", "--cfg", "job", "--resolve")
    assert code == 0 and "by_scale" not in out
    assert "  n_seeds: 3\n" in out and "  compressions:\n  - 1\n  - 3\n" in out
