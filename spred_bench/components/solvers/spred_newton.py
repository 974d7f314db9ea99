"""spred by Newton's method on (U, V), with working sets: `spred_bench.lasso.second_order.newton` says how and why."""

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb
from spred_bench.lasso.second_order.newton import compile_ahead, solve_lasso


@component
class Solver(BaseSolver):
    """Second-order spred, all targets at once."""

    max_iter: PositiveInt = 100

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        compile_ahead()

        def fit(Y, tolerance):
            result = solve_lasso(problem.X, Y, problem.alpha, tol=tolerance, max_iter=self.max_iter)
            return np.asarray(result.coef).T

        return climb(problem, monitor, fit)
