"""Components from a folder of the user's own: two files each, named on the command line, run everywhere."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

SOLVER = """
import numpy as np
from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver

@component
class Solver(BaseSolver):
    \"\"\"Proximal gradient.\"\"\"

    def solve(self, problem, monitor):
        X, Y, w = problem.X, problem.Y, np.zeros(problem.shape)
        step = X.shape[0] / np.linalg.norm(X, 2) ** 2
        for iteration in range(100_000):
            if monitor(iteration, lambda w=w: w):
                return w
            z = w - step * X.T @ (X @ w - Y) / X.shape[0]
            w = np.sign(z) * np.maximum(np.abs(z) - step * problem.alpha, 0)
        return w
"""
SOURCE = """
import numpy as np
from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression

@component
class Source(BaseSource):
    def load(self, seed: int) -> Regression:
        rng = np.random.default_rng(seed)
        X = np.asfortranarray(rng.standard_normal((30, 10)))
        return Regression(X, X[:, 0] + 0.1 * rng.standard_normal(30), np.eye(10)[0])
"""
METHOD = """
from spred_bench.components.contract import component
from spred_bench.components.methods import BaseMethod

@component
class Method(BaseMethod):
    def prepare(self, network, generator=None):
        pass

    def finalize(self, network, threshold=0.0):
        return network

    def parameter_groups(self, network, kappa):
        return [{"params": list(network.parameters()), "weight_decay": 0.0}]
"""
FILES = {
    "my_things/solver.py": SOLVER,
    "my_things/source.py": SOURCE,
    "my_things/method.py": METHOD,
    "mine/solver/my_solver.yaml": "# A solver of mine\nmy_solver:\n  _target_: my_things.solver.Solver\n",
    "mine/data/my_data.yaml": "# Data of mine\nmy_data:\n  _target_: my_things.source.Source\n",
    "mine/method/my_method.yaml": "# A method of mine\nmy_method:\n  _target_: my_things.method.Method\n",
}
LASSO = ["--config-dir", "mine", "scale=smoke", "data=my_data", "solver=[my_solver,cd]"]
NODES = ["--config-dir", "mine", "task=node_sparsity", "scale=smoke", "method=[my_method]", "kappa=1e-3"]


@pytest.fixture
def spred_bench(tmp_path):
    """The command line as a process in a folder that has the files, the module beside the configurations or in them."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*words):
        command = [sys.executable, "-m", "spred_bench", *words]
        return subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)

    return run


@pytest.mark.slow
def test_a_solver_and_data_run_here_in_a_child_and_in_a_sweep(spred_bench, tmp_path):
    done = spred_bench(*LASSO, "allow=[my_things]", "task.isolate=all")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("results/lasso_scaling/*/run.json")
    table = pd.read_csv(path.with_name("records.csv"))
    assert set(table["method"]) == {"my_solver", "cd"} and set(table["status"]) == {"done"}
    assert json.loads(path.read_text())["config"]["allow"] == [["my_things", str(tmp_path)]]
    (tmp_path / "my_things").rename(tmp_path / "mine" / "my_things")
    done = spred_bench("-m", *LASSO, "allow=my_things", "task.isolate=all", "kappa=0.01,0.02")
    assert done.returncode == 0 and "2 runs: 2 done" in done.stdout, done.stdout + done.stderr
    again = spred_bench(*LASSO, "allow=[my_things]", "task.isolate=all")  # where the module lies is no part of the run
    assert "(4 from an earlier run)" in again.stdout, again.stdout + again.stderr
    for words in (["collect"], ["plot", "results/lasso_scaling"], ["claims", "results"], ["report", "results"]):
        judged = spred_bench(*words)
        assert judged.returncode == 0, judged.stderr


@pytest.mark.slow
def test_a_method_runs(spred_bench, tmp_path):
    done = spred_bench(*NODES, "allow=[my_things]")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("results/node_sparsity/*/records.csv")
    assert set(pd.read_csv(path)["method"]) == {"my_method"}


@pytest.mark.slow
def test_without_allow_the_line_says_what_to_type(spred_bench, tmp_path):
    refused = spred_bench(*LASSO)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "data.my_data._target_=my_things.source.Source" in refused.stderr
    assert "add allow=[my_things] to the command" in refused.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "solver"], "A solver of mine"),
        (["info", "my_solver"], "_target_: my_things.solver.Solver"),
        (["help"], "my_method"),
        (["--help"], "my_method"),
        (["solver=my_solve"], "did you mean 'my_solver'?"),
        (["prepare", "data=my_data", "allow=[my_things]"], "my_data: ready"),
    ],
)
def test_questions_know_the_user_s_components(spred_bench, words, said):
    answer = spred_bench(*words, "--config-dir", "mine")
    assert said in answer.stdout + answer.stderr
