"""The child of `isolation.Worker`: reads requests, solves, reports every snapshot as it is made.

Runs under any interpreter that has numpy, scipy, pydantic and the solver's library: nothing else is imported here.
"""

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from spred_bench import lasso
from spred_bench.components import contract, outside
from spred_bench.errors import Skip
from spred_bench.experiments.judging.monitor import Monitor
from spred_bench.lasso import LassoProblem
from spred_bench.system import machine
from spred_bench.system.threads import wait_for_idle_pools

_WARM_UP = {"gap_targets": [1e-3], "time_limit_s": 120.0}
_PR_SET_PDEATHSIG = 1
_warm: set[tuple] = set()


class _Reporter(Monitor):
    """A monitor that tells the parent of each snapshot and each restart of the clock, so that it knows we live."""

    def __init__(self, say, *arguments):
        self._say = say
        super().__init__(*arguments)

    def restart(self) -> None:
        """Set the clock to zero, here and in the parent."""
        self._say("restart", None)
        super().restart()

    def _judge(self, step, w) -> bool:
        stop = super()._judge(step, w)
        self._say("snapshot", vars(self.trace[-1]))
        return stop


def main() -> None:
    """Serve requests until the parent is gone."""
    requests, answers = os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w")
    if sys.platform == "linux":
        # Also where the thread that `_arriving` starts cannot run: while a library keeps the interpreter's lock, or
        # while this process is stopped.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def say(kind, value):
        answers.write(json.dumps([kind, value]) + "\n")
        answers.flush()

    loaded = (None, None)
    for line in _arriving(requests):
        try:
            request = json.loads(line)
            if loaded[0] != request["folder"]:
                loaded = (None, None)  # the old design goes before the new one comes
                loaded = (request["folder"], _load(Path(request["folder"])))
            _serve(request, *loaded[1], say)
        except Skip as reason:
            say("skip", str(reason))
        except Exception:
            say("error", traceback.format_exc())


def _arriving(requests) -> Iterator[str]:
    """The requests as they come. When the parent's end of the pipe closes, this process ends, however busy it is."""
    arrived = queue.SimpleQueue()

    def listen() -> None:
        for line in requests:
            arrived.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield arrived.get()


def _serve(request, X, Y, say) -> None:
    outside.permit(request["allow"])
    solver = contract.build("solver", {"_target_": request["target"], **request["parameters"]})
    problem = LassoProblem(X, Y, request["alpha"])
    say("warm", warm_up(solver, problem))
    wait_for_idle_pools()  # also what the parent computed for this problem
    before = machine.reset_peak()
    monitor = _Reporter(say, problem, request["gap_targets"], request["time_limit_s"])
    solver.solve(problem, monitor)
    say("done", {"status": monitor.status, "added_bytes": machine.added_bytes(before)})


def warm_up(solver, problem: LassoProblem) -> float:
    """Seconds of a first run on a corner of the problem: compilation and starting threads are not a solver's speed.

    The corner has the types and layout of the whole, so that what is compiled is what will run. 0.0 from the second
    time on.
    """
    # Names and switches choose what a solver runs, numbers do not.
    choices = [value for value in vars(solver).values() if isinstance(value, (bool, str))]
    types = (type(problem.X), str(problem.X.dtype), str(problem.Y.dtype), problem.Y.ndim)
    kind = (type(solver), *choices, *types)
    if kind in _warm:
        return 0.0
    _warm.add(kind)
    X, Y = problem.X[:40, :30], problem.Y[:40]
    if lasso.lambda_max(X, Y) == 0:  # no signal, as in corners of sparse designs: solvers would return at once
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal(X.shape).astype(X.dtype), rng.standard_normal(Y.shape).astype(Y.dtype)
    if isinstance(problem.X, np.ndarray):
        X = np.array(X, order="F" if problem.X.flags.f_contiguous else "C")
    else:
        X = type(problem.X)(X)
    monitor = Monitor(LassoProblem(X, Y, 0.1 * lasso.lambda_max(X, Y)), **_WARM_UP)
    watch = monitor.watch
    solver.solve(monitor.problem, monitor)
    return watch.elapsed_s


def _load(folder: Path):
    """(X, Y), read into private memory."""
    if (folder / "X.npz").exists():
        import scipy.sparse

        X = scipy.sparse.load_npz(folder / "X.npz")
    else:
        X = np.load(folder / "X.npy", allow_pickle=False)
    return X, np.load(folder / "Y.npy", allow_pickle=False)


if __name__ == "__main__":
    main()
