"""Solvers of convex problems, one algorithm a file, with a class `Solver`.

A solver only translates: the problem owns scaling, objective and certificate, the monitor owns the clock and the
stopping rule.
"""

from abc import ABC, abstractmethod


class BaseSolver(ABC):
    """What `task=lasso_scaling` asks of every solver.

    black_box: it cannot be stopped between two iterates, so that it runs in a child process.
    python: interpreter of an environment of its own, for a black box that cannot be installed in this one.
    gap: relative duality gap that it reaches on a problem of some dozen features in seconds.
    slow_start: its first fit of each kind compiles for a minute.
    """

    black_box = False
    python = None
    gap = 1e-6
    slow_start = False

    @abstractmethod
    def solve(self, problem, monitor):
        """Coefficients (p,) or (p, m) of a `LassoProblem`. Raises Skip, with the reason, for one that it cannot do.

        An iterative solver calls `monitor(step, weights)` after each iterate, weights being a function that returns
        the coefficients, and stops when that returns True. A black box is fitted at each tolerance of
        `monitor.ladder()`; see components/solvers/_black_box.py.
        """
