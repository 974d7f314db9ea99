"""spred by Newton's method on (U, V), with working sets: `spred_bench.newton` says how and why."""

import warnings

import numpy as np
from pydantic import PositiveInt

from spred_bench.components import component
from spred_bench.lasso import as_columns
from spred_bench.newton import solve_lasso


@component
class Solver:
    """Second-order spred, all targets at once."""

    max_iter: PositiveInt = 100

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the monitor tells what was reached

            def fit(tolerance):
                result = solve_lasso(problem.X, problem.Y, problem.alpha, tol=tolerance, max_iter=self.max_iter)
                return np.asarray(as_columns(result.coef.T)).reshape(problem.shape)

            for step, tolerance in enumerate(monitor.ladder()):
                w = fit(tolerance)
                if monitor(step, lambda w=w: w):
                    break
        return w
