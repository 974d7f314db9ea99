"""Solving in a child process: the same answers, limits that hold, failures that speak."""

import numpy as np
import pytest

from spred_bench.errors import Skip
from spred_bench.isolation import ProblemFiles, Worker, solve_here
from spred_bench.lasso import LassoProblem, lambda_max
from spred_bench.solvers import celer, fista


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((60, 40)))
    y = rng.standard_normal(60)
    return LassoProblem(X, y, 0.1 * lambda_max(X, y))


@pytest.fixture
def solve(problem):
    """Run a solver in a child; the child and the files go away afterwards."""
    files, workers = ProblemFiles(problem.X, problem.Y), []

    def run(solver, time_limit_s=30.0, python=None, problem=problem):
        workers.append(Worker(solver, python))
        return workers[-1].solve(files, problem, [1e-6], time_limit_s)

    yield run
    for worker in workers:
        worker.close()
    files.close()
    assert not files.path.exists()


def test_a_child_gives_the_answer_of_this_process(solve, problem):
    there, here = solve(fista.Solver()), solve_here(fista.Solver(), problem, [1e-6], 30.0, "cpu")
    assert there["status"] == here["status"] == "done"
    steps = [(p.step, p.objective, p.relative_gap, p.zero_rates) for p in there["trace"]]
    assert steps == [(p.step, p.objective, p.relative_gap, p.zero_rates) for p in here["trace"]]
    assert there["added_bytes"] >= 0 and there["warm_up_s"] > 0


def test_a_black_box_that_never_answers_is_stopped(solve, monkeypatch, tmp_path):
    # A celer that hangs on any problem larger than the warm-up's.
    monkeypatch.setattr("spred_bench.isolation._GRACE_S", 0.0)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "celer.py").write_text(
        "import time, numpy\n"
        "class Lasso:\n"
        "    def __init__(self, **options): pass\n"
        "    def fit(self, X, y):\n"
        "        time.sleep(1000 * (len(X) > 40))\n"
        "        self.coef_ = numpy.linalg.lstsq(X, y)[0]\n"
        "        return self\n"
    )
    result = solve(celer.Solver(), time_limit_s=1.0)
    assert result["status"] == "timeout" and result["trace"] == []


def test_a_missing_peer_is_skipped_with_the_command_that_installs_it(solve, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "celer.py").write_text("raise ImportError('not here')")
    with pytest.raises(Skip, match="pip install celer"):
        solve(celer.Solver())


def test_a_missing_interpreter_is_skipped_by_name(solve):
    with pytest.raises(Skip, match="cannot start nowhere/python"):
        solve(fista.Solver(), python="nowhere/python")


def test_a_dying_child_is_an_error_not_a_hang(solve, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "celer.py").write_text("import os; os._exit(3)")
    with pytest.raises(RuntimeError, match="ended with code 3"):
        solve(celer.Solver())
