"""spred with one factor eliminated in closed form, L-BFGS on the other (Poon & Peyre 2021): `second_order.varpro`."""

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.errors import Skip
from spred_bench.lasso import as_columns
from spred_bench.lasso.second_order.varpro import solve_by_projection


@component
class Solver(BaseSolver):
    """Variable projection, one target after the other; each evaluation solves a min(n, p) square system."""

    max_iter: PositiveInt = 2000

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m). Skip for a sparse X or alpha = 0."""
        if not isinstance(problem.X, np.ndarray) or not problem.alpha > 0:
            raise Skip("variable projection needs a dense X and a positive strength")
        W, goal = np.zeros((problem.X.shape[1], problem.n_targets)), monitor.gap_targets[-1]
        step = 0
        for t, y in enumerate(as_columns(problem.Y).T):

            def watch(w, t=t):
                nonlocal step
                W[:, t] = w
                step += 1
                if monitor(step, lambda: W.reshape(problem.shape)) and monitor.status == "timeout":
                    raise _Late

            try:
                W[:, t] = solve_by_projection(
                    problem.X, y, problem.alpha, tol=goal, max_iter=self.max_iter, callback=watch
                )[0]
            except _Late:
                break
        monitor(step + 1, lambda: W.reshape(problem.shape))
        return W.reshape(problem.shape)


class _Late(Exception):
    """The time limit has passed."""
