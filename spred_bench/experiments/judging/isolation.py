"""Solve in a child process: a black box that can be stopped, its memory seen, and its own interpreter if it needs one.

Parent and child talk in JSON lines over two pipes of their own (libraries print to stdout as they like); the arrays
pass through .npy files, which the child reads into memory of its own, so that what it adds can be told from X.
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse

from spred_bench.components import outside
from spred_bench.errors import Skip
from spred_bench.experiments.judging.monitor import Monitor, Snapshot
from spred_bench.experiments.judging.worker import warm_up
from spred_bench.lasso import LassoProblem
from spred_bench.system import signals
from spred_bench.system.files import PACKAGE, regular
from spred_bench.system.threads import wait_for_idle_pools

# How much longer than its limit a solver may be silent before it is killed: judging an iterate takes time too.
_GRACE_S = 10.0
_START_LIMIT_S = 300.0
_PREFIX, _LOCK = "spred-bench-", "in-use"


class ProblemFiles:
    """X and Y of a problem on disk, for any number of children; what killed processes have left there is removed."""

    def __init__(self, X, Y):
        _remove_abandoned()
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
        self.path = Path(self._folder.name)
        self._lock = _locked(self.path)
        if scipy.sparse.issparse(X):
            scipy.sparse.save_npz(self.path / "X.npz", X, compressed=False)
        else:
            np.save(self.path / "X.npy", X)
        np.save(self.path / "Y.npy", Y)

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()
        os.close(self._lock)


def _locked(folder: Path) -> int:
    """Descriptor of the folder's lock file: the kernel lets go of the lock when this process ends, however that is."""
    unlocked = folder / "unlocked"
    lock = os.open(unlocked, os.O_CREAT | os.O_RDWR)
    with contextlib.suppress(OSError):  # some file systems have no locks
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(unlocked, folder / _LOCK)  # under this name it was never seen unlocked
    return lock


def _remove_abandoned() -> None:
    """Designs take gigabytes, and nobody else would clear them away."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(OSError), open(lock, opener=regular) as file:  # held, no file, or gone meanwhile
            if os.fstat(file.fileno()).st_uid == os.getuid() and not lock.parent.is_symlink():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)


def solve_here(solver, problem: LassoProblem, gap_targets: list[float], time_limit_s: float, device: str) -> dict:
    """The same answer as `Worker.solve`, in this process; its memory is not measured."""
    warm_up_s = warm_up(solver, problem)
    wait_for_idle_pools()
    monitor = Monitor(problem, gap_targets, time_limit_s, device)
    solver.solve(problem, monitor)
    return {"trace": monitor.trace, "status": monitor.status, "warm_up_s": warm_up_s, "added_bytes": None}


class Worker:
    """A child that solves one problem after the other with one solver; started by the first, kept for the next."""

    def __init__(self, solver, python: str | None = None):
        self._solver, self._python = solver, python or sys.executable
        self._process = None

    def solve(self, files: ProblemFiles, problem: LassoProblem, gap_targets: list[float], time_limit_s: float) -> dict:
        """{trace, status, warm_up_s, added_bytes}; what was known when the limit killed the child, if it did.

        Raises Skip where the solver does, RuntimeError where it fails (the child's traceback in the text).
        """
        if self._process is None:
            self._start()
        request = {
            "target": f"{type(self._solver).__module__}.{type(self._solver).__qualname__}",
            "parameters": {key: value for key, value in vars(self._solver).items() if not key.startswith("_")},
            "allow": outside.permitted(),
            "folder": str(files.path),
            "alpha": problem.alpha,
            "gap_targets": list(gap_targets),
            "time_limit_s": time_limit_s,
        }
        self._requests.write(json.dumps(request, default=str) + "\n")
        self._requests.flush()
        return self._listen(time_limit_s)

    def close(self) -> None:
        """End the child, however busy it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._requests.close()
            self._answers.close()
            self._process = None

    def _start(self) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        package_root = str(PACKAGE.parent)
        path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [self._python, "-m", "spred_bench.experiments.judging.worker", str(theirs_in), str(theirs_out)],
                pass_fds=(theirs_in, theirs_out),
                env={**os.environ, "PYTHONPATH": path},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent to handle
            )
        except OSError as error:
            raise Skip(f"cannot start {self._python} ({error.strerror})") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._requests = os.fdopen(ours_out, "w")
        self._answers = os.fdopen(ours_in, "rb", buffering=0)
        self._buffer = b""

    def _listen(self, time_limit_s: float) -> dict:
        trace: list[Snapshot] = []
        result = {"trace": trace, "status": "timeout", "warm_up_s": None, "added_bytes": None}
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            message = self._next(deadline)
            if message is None:
                code = self._process.poll()
                self.close()
                if code is not None and not trace:
                    raise RuntimeError(f"the solver's process ended with code {code}")
                result["status"] = "timeout" if code is None else "failed"
                return result
            kind, value = message
            deadline = time.monotonic() + time_limit_s + _GRACE_S
            if kind == "snapshot":
                trace.append(Snapshot(**{**value, "zero_rates": tuple(value["zero_rates"])}))
            elif kind == "warm":
                result["warm_up_s"] = value
            elif kind == "done":
                return {**result, **value}
            elif kind == "skip":
                raise Skip(value)
            elif kind == "error":  # the first line is what the user is told: of a traceback, the last one speaks
                raise RuntimeError(f"{value.rstrip().splitlines()[-1]}\n{value}")

    def _next(self, deadline: float):
        """The child's next message; None when the deadline has passed or the child is gone."""
        while b"\n" not in self._buffer:
            try:
                signals.check()
            except signals.Interrupted:
                self.close()
                raise
            if time.monotonic() > deadline:
                return None
            if select.select([self._answers], [], [], 0.5)[0]:
                part = self._answers.read(65536)
                if not part:
                    self._process.wait()
                    return None
                self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)
