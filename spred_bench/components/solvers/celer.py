"""celer: coordinate descent on working sets with dual extrapolation (Massias, Gramfort & Salmon 2018). A black box."""

from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.peers import required
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb_each_target


@component
class Solver(BaseSolver):
    """celer's Lasso, one target after the other."""

    max_iter: PositiveInt = 100
    prune: bool = True
    black_box: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m). Skip where celer is not installed."""
        celer = required("celer")
        X = np.asfortranarray(problem.X) if isinstance(problem.X, np.ndarray) else problem.X.tocsc()

        def fit(y, tolerance):
            model = celer.Lasso(
                alpha=problem.alpha, fit_intercept=False, tol=tolerance, max_iter=self.max_iter, prune=self.prune
            )
            return model.fit(X, y).coef_

        return climb_each_target(problem, monitor, fit)
