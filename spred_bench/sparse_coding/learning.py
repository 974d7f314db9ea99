"""Dictionary learning under one clock: what every learner is given, and the one judge of all their dictionaries.

A learner is `learn(problem, monitor)`. It calls `monitor(n_seen, dictionary)` after every step of its own and stops
when told so; `n_seen` patches it has worked through so far, `dictionary` is a function that returns B (m, k).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from spred_bench.sparse_coding import encode, objective
from spred_bench.system import activity
from spred_bench.system.machine import added_bytes, reset_peak
from spred_bench.system.stopwatch import Stopwatch

# Dictionaries are judged at time_limit_s, and this factor earlier, and again, down to _FIRST of it.
_TIME_RATIO = 2**0.5
_FIRST = 1 / 256
JUDGE_GAP = 1e-5  # relative duality gap of the codes that a dictionary is judged with


@dataclass(frozen=True)
class CodingProblem:
    """min |X - S B'|^2 + 2 kappa |S|_1 over B (m, k) with unit columns and S (n, k); X (n, m) float32, patches as rows.

    With 0.5 |x - B s|^2 + alpha |s|_1, which scikit-learn and SPAMS minimise, alpha = kappa.
    """

    X: np.ndarray
    n_atoms: int
    kappa: float
    seed: int
    device: str = "cpu"

    def start(self) -> np.ndarray:
        """The first dictionary of every learner, (m, k) float32: different patches, drawn by the seed, normalised."""
        chosen = np.random.default_rng(self.seed).choice(len(self.X), self.n_atoms, replace=False)
        return unit_columns(self.X[chosen].T)

    def batches(self, size: int):
        """Endless minibatches (size, m): passes over the patches, each in another order drawn by the seed."""
        rng = np.random.default_rng([self.seed, 1])
        size = min(size, len(self.X))
        while True:
            order = rng.permutation(len(self.X))
            for at in range(0, len(order) - size + 1, size):
                yield self.X[order[at : at + size]]


@dataclass(frozen=True)
class Judged:
    """A dictionary's mean objective (Eq. (7)) on the held-out patches, and its mean number of active codes."""

    n_seen: int
    time_s: float
    objective: float
    active_codes: float


class Monitor:
    """Judges dictionaries on held-out patches with the clock stopped, at times that grow geometrically.

    Whatever the learner, codes come from one exact solver and columns have norm one. It says stop at `time_limit_s`
    on the learner's clock or after `max_passes` over the patches, and where a dictionary is no longer finite.
    `added_bytes`: the largest memory of learning and judging above what there was before, None where nobody tells.
    """

    def __init__(self, problem: CodingProblem, held_out: np.ndarray, time_limit_s: float, max_passes: float | None):
        self.problem, self.held_out, self.time_limit_s = problem, held_out, time_limit_s
        self.max_seen = float("inf") if max_passes is None else max_passes * len(problem.X)
        self.trace: list[Judged] = []
        self.dictionary = None
        self.status = "done"
        self.added_bytes: int | None = None
        self._next_s = 0.0
        self.restart()

    def restart(self) -> None:
        """Set the clock to zero: a learner calls it when everything is loaded and its copy of the data is made."""
        self.watch = Stopwatch(self.problem.device).start()

    def ladder(self, batch_size: int, ratio: int = 2) -> Iterator[int]:
        """Numbers of steps for a black box, which learns from scratch for each and then calls the monitor.

        They grow by `ratio` up to the one that fills the time limit; each has a clock of its own.
        """
        n_steps, most = 1, math.ceil(min(self.max_seen, 1e18) / batch_size)
        while True:
            self._next_s = 0.0
            self.restart()
            yield n_steps
            elapsed = max(self.trace[-1].time_s, 1e-6)
            # Times vary by some percent from run to run: nearly full is full.
            if n_steps == most or elapsed > 0.9 * self.time_limit_s or self.status == "diverged":
                return
            n_steps = min(ratio * n_steps, math.ceil(1.02 * n_steps * self.time_limit_s / elapsed), most)

    def __call__(self, n_seen: int, dictionary: Callable[[], np.ndarray]) -> bool:
        """Judge this dictionary if its time has come; True when the learner should stop."""
        activity.advance(self.watch.peek_s(), self.time_limit_s)
        last = self.watch.peek_s() >= self.time_limit_s or n_seen >= self.max_seen
        if not last and self.watch.peek_s() < self._next_s:
            return False
        with self.watch.paused():
            return self._judge(n_seen, dictionary()) or last

    def _judge(self, n_seen: int, B: np.ndarray) -> bool:
        elapsed = self.watch.elapsed_s
        self._next_s = self.time_limit_s * _FIRST
        while self._next_s <= elapsed:
            self._next_s *= _TIME_RATIO
        if not np.isfinite(B).all():
            self.status = "diverged"
            return True
        self.dictionary = unit_columns(B)
        solved = encode(self.held_out, self.dictionary, self.problem.kappa, gap=JUDGE_GAP)
        value = objective(self.held_out, self.dictionary, solved.codes, self.problem.kappa)
        self.trace.append(Judged(n_seen, elapsed, value, solved.codes.nnz / len(self.held_out)))
        return False


def unit_columns(B: np.ndarray) -> np.ndarray:
    """Columns of B divided by their norms, float32; those of norm zero, which no code can use, are left out."""
    norms = np.linalg.norm(B, axis=0)
    return np.ascontiguousarray(B[:, norms > 0] / norms[norms > 0], dtype=np.float32)


def learn(learner, problem: CodingProblem, held_out: np.ndarray, time_limit_s: float, max_passes=None) -> Monitor:
    """Let `learner` work on `problem`; the monitor, which holds the trace and the last dictionary judged."""
    monitor = Monitor(problem, held_out, time_limit_s, max_passes)
    monitor(0, problem.start)
    before = reset_peak()
    monitor.restart()
    learner.learn(problem, monitor)
    monitor.added_bytes = added_bytes(before)
    return monitor
