"""Watch a lasso solver with its clock stopped: the same certificate, and the same stopping rule, for all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spred_bench.lasso import LassoProblem
from spred_bench.timing import Stopwatch

# Weights no larger than this fraction of the largest count as zero: first-order methods on (U, V) reach zero only in
# the limit. Two thresholds that agree are the test of convergence (paper, Fig. 6).
ZERO_THRESHOLDS = (1e-3, 1e-6)
# Iterates are judged at steps 0, 1, 2, ... and then this much further apart each time, so that what is recorded
# depends on the iterates alone, not on how fast the machine was.
_STEP_GROWTH = 1.1


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
    coefficients, and stops when told so. A black box is fitted from scratch at each tolerance of `monitor.ladder()`,
    from loose to tight, calling `monitor(...)` after each; only the last fit's own time counts.
    """

    def __init__(self, problem: LassoProblem, target_gap: float, time_limit_s: float, device: str = "cpu"):
        self.problem, self.target_gap, self.time_limit_s, self.device = (
            problem,
            target_gap,
            time_limit_s,
            device,
        )
        self.trace: list[Snapshot] = []
        self.status = "max_steps"
        self._spent_s = 0.0
        self._next_step = 0
        self.restart()

    def restart(self) -> None:
        """Set the clock to zero: a solver calls it after its warm-up (compilation), which is not to be counted."""
        self.watch = Stopwatch(self.device).start()

    def ladder(self):
        """Tolerances 1e-2, 3e-3, 1e-3, ... for a black box, each with a clock of its own, until told to stop.

        Two to the decade: the time to a gap is that of the loosest tolerance that reaches it, to within a half decade.
        """
        for half_decade in range(4, 29):
            self.restart()
            yield 10 ** (-half_decade / 2)

    def due(self, step: int) -> bool:
        """Whether the iterate of this step would be judged: cheap, to be asked at every step."""
        return step >= self._next_step or self.watch.peek_s() > self.time_limit_s

    def __call__(self, step: int, weights: Callable[[], np.ndarray]) -> bool:
        """Judge this iterate if its turn has come; True when the solver should stop."""
        if not self.due(step):
            return False
        self._next_step = max(step + 1, int(step * _STEP_GROWTH))
        with self.watch.paused():
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
        elif gap <= self.target_gap:
            self.status = "done"
        elif elapsed > self.time_limit_s:
            self.status = "timeout"
        else:
            return False
        return True
