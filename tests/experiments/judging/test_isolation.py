"""Solving in a child process: the same answers, limits that hold, failures that speak."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from spred_bench.components.solvers import celer, fista
from spred_bench.errors import Skip
from spred_bench.experiments.judging import worker
from spred_bench.experiments.judging.isolation import ProblemFiles, Worker, solve_here
from spred_bench.lasso import LassoProblem, lambda_max


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
    for one in workers:
        one.close()
    files.close()
    assert not files.path.exists()


def test_a_child_gives_the_answer_of_this_process(solve, problem):
    there, here = solve(fista.Solver()), solve_here(fista.Solver(), problem, [1e-6], 30.0, "cpu")
    assert there["status"] == here["status"] == "done"
    steps = [(p.step, p.objective, p.relative_gap, p.zero_rates) for p in there["trace"]]
    assert steps == [(p.step, p.objective, p.relative_gap, p.zero_rates) for p in here["trace"]]
    assert there["added_bytes"] >= 0 and there["warm_up_s"] > 0


class Compiling:
    """Stands for a solver whose first run on a kind of problem compiles."""

    def __init__(self, strategy="one", number=1):
        self.strategy, self.number, self.compiled = strategy, number, []

    def solve(self, problem, monitor):
        assert problem.alpha > 0
        self.compiled.append((type(problem.X), problem.X.dtype, problem.Y.dtype))


@pytest.mark.parametrize("wrap", [np.asarray, scipy.sparse.csc_matrix, scipy.sparse.csr_matrix])
def test_warm_up_runs_what_the_clock_will_see(wrap, monkeypatch):
    monkeypatch.setattr(worker, "_warm", set())
    solver, X = Compiling(), np.eye(60, 40, k=-40, dtype=np.float32)
    for Y in (np.ones(60), np.ones(60, np.float32), np.ones(60)):
        worker.warm_up(solver, LassoProblem(wrap(X), Y, 0.1))
    kind = type(wrap(X)), np.float32
    assert solver.compiled == [(*kind, np.float64), (*kind, np.float32)]


def test_warm_up_is_repeated_for_another_choice_only(problem, monkeypatch):
    monkeypatch.setattr(worker, "_warm", set())
    solvers = [Compiling(), Compiling(number=2), Compiling("other")]
    for solver in solvers:
        worker.warm_up(solver, problem)
    assert [len(solver.compiled) for solver in solvers] == [1, 0, 1]


@pytest.mark.slow
def test_a_black_box_that_never_answers_is_stopped(solve, monkeypatch, tmp_path):
    # A celer that hangs on any problem larger than the warm-up's.
    monkeypatch.setattr("spred_bench.experiments.judging.isolation._GRACE_S", 0.0)
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


def test_a_missing_peer_is_skipped_with_its_command(solve, monkeypatch, tmp_path):
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


def test_the_first_line_of_a_failure_says_what_went_wrong(solve, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "celer.py").write_text("")
    with pytest.raises(RuntimeError, match=r"\AAttributeError: .*Lasso.*\nTraceback"):
        solve(celer.Solver())


PARENT = """
    import numpy as np
    from spred_bench.experiments.judging.isolation import ProblemFiles, Worker
    from spred_bench.lasso import LassoProblem
    from spred_bench.components.solvers import celer

    X = np.eye(60, 40)
    Worker(celer.Solver()).solve(ProblemFiles(X, X[:, 0]), LassoProblem(X, X[:, 0], 1e-3), [1e-6], 1000.0)
"""
HANGING = """
    import ctypes, os, time, pathlib

    class Lasso:
        def __init__(self, **options): pass
        def fit(self, X, y):
            pathlib.Path("pid.tmp").write_text(str(os.getpid()))
            os.replace("pid.tmp", "pid")
            HANG
"""


def state_of(pid: int) -> str:
    """R, S, T, ... of a process; Z where there is none any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def wait_until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the states of processes (Linux)")
@pytest.mark.parametrize("how", ["asleep", "with the interpreter's lock", "stopped"])
def test_no_child_outlives_its_parent(how, tmp_path):
    # PyDLL keeps the lock of the interpreter during a call: no thread of the child can run.
    hang = "ctypes.PyDLL(None).sleep(1000)" if how == "with the interpreter's lock" else "time.sleep(1000)"
    (tmp_path / "celer.py").write_text(textwrap.dedent(HANGING).replace("HANG", hang))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}
    environment["TMPDIR"] = str(tmp_path)
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT)], cwd=tmp_path, env=environment)
    try:
        wait_until((tmp_path / "pid").exists)
        child = int((tmp_path / "pid").read_text())
        if how == "stopped":
            for pid in (parent.pid, child):
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda pid=pid: state_of(pid) == "T")
        assert state_of(child) != "Z"
    finally:
        parent.kill()
        parent.wait()
    try:
        wait_until(lambda: state_of(child) == "Z")
    finally:
        if state_of(child) != "Z":
            os.kill(child, signal.SIGKILL)


def test_problem_files_of_a_killed_process_are_cleared_away(problem, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = ProblemFiles(problem.X, problem.Y)
    script = (
        "import os, signal, numpy as np; from spred_bench.experiments.judging.isolation import ProblemFiles\n"
        "files = ProblemFiles(np.eye(3), np.ones(3)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment).returncode == -signal.SIGKILL
    [abandoned] = set(tmp_path.iterdir()) - {mine.path}
    assert (abandoned / "X.npy").exists()
    other = ProblemFiles(problem.X, problem.Y)
    assert set(tmp_path.iterdir()) == {mine.path, other.path}
    for files in (mine, other):
        files.close()
    assert not list(tmp_path.iterdir())
