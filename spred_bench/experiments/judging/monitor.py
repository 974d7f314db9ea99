"""Watch a lasso solver with its clock stopped: the same certificate, and the same stopping rule, for all of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spred_bench.lasso import LassoProblem
from spred_bench.system.stopwatch import Stopwatch
from spred_bench.system.threads import one_thread_for_numpy

# Weights no larger than this fraction of the largest count as zero: first-order methods on (U, V) reach zero only in
# the limit. Two thresholds that agree are the test of convergence (paper, Fig. 6).
ZERO_THRESHOLDS = (1e-3, 1e-6)
# Iterates are judged at steps 0, 1, 2, ... and then this much further apart each time, so that what is recorded
# depends on the iterates alone, not on how fast the machine was.
_STEP_GROWTH = 1.1
_LAST_RUNG = 28  # tolerances go down to 1e-14


@dataclass(frozen=True)
class Snapshot:
    """One judged iterate; `zero_rates` has one fraction per ZERO_THRESHOLDS."""

    step: int
    time_s: float
    objective: float
    relative_gap: float
    zero_rates: tuple[float, ...]


class Monitor:
    """Passed to `solve(problem, monitor)`.

    An iterative solver calls `monitor(step, weights)` after each iterate, `weights` being a function that returns the
    coefficients, and stops when told so: at the smallest of `gap_targets`, at the time limit, or diverged. A black box
    is fitted from scratch at each tolerance of `monitor.ladder()`, calling `monitor(...)` after each.
    """

    def __init__(self, problem: LassoProblem, gap_targets: Sequence[float], time_limit_s: float, device: str = "cpu"):
        self.problem, self.time_limit_s, self.device = problem, time_limit_s, device
        self.gap_targets = sorted(gap_targets, reverse=True)
        self.trace: list[Snapshot] = []
        self.status = "max_steps"
        self._next_step = 0
        self.restart()

    def restart(self) -> None:
        """Set the clock to zero."""
        self.watch = Stopwatch(self.device).start()

    def ladder(self):
        """Tolerances for a black box, each with a clock of its own: for every target, the loosest that reaches it.

        The search starts at the target itself and goes up or down by half decades, so that the time found is that of
        the right setting to within a half decade. It ends early at the time limit and where nothing helps.
        """
        tried: dict[int, float] = {}  # tolerance 10^(-rung/2): gap
        for target in self.gap_targets:
            rung = round(-2 * math.log10(target))
            while rung not in tried and 0 < rung <= _LAST_RUNG:
                self.restart()
                yield 10 ** (-rung / 2)
                if self.status in ("timeout", "diverged"):
                    return
                tried[rung] = self.trace[-1].relative_gap
                reached = [r for r, gap in tried.items() if gap <= target]
                rung = min(reached) - 1 if reached else max(tried) + 1

    def due(self, step: int) -> bool:
        """Whether the iterate of this step would be judged: cheap, to be asked at every step."""
        return step >= self._next_step or self.watch.peek_s() > self.time_limit_s

    def __call__(self, step: int, weights: Callable[[], np.ndarray]) -> bool:
        """Judge this iterate if its turn has come; True when an iterative solver should stop."""
        if not self.due(step):
            return False
        self._next_step = max(step + 1, int(step * _STEP_GROWTH))
        # The judge's threads must not be awake when the solver goes on.
        with self.watch.paused(), one_thread_for_numpy():
            return self._judge(step, weights())

    def _judge(self, step: int, w: np.ndarray) -> bool:
        elapsed = self.watch.elapsed_s
        objective, gap = self.problem.certificate(w)
        magnitude = np.abs(w)
        largest = magnitude.max(initial=0.0)
        zero_rates = tuple(float(np.mean(magnitude <= t * largest)) for t in ZERO_THRESHOLDS)
        self.trace.append(Snapshot(step, elapsed, objective, gap, zero_rates))
        if not np.isfinite(objective) or objective > 1e6 * max(self.problem.null_objective, 1e-300):
            self.status = "diverged"
        elif gap <= self.gap_targets[-1]:
            self.status = "done"
        elif elapsed > self.time_limit_s:
            self.status = "timeout"
        else:
            return False
        return True
