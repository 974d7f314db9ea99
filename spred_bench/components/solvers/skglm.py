"""skglm: Anderson-accelerated coordinate descent on working sets (Bertrand et al. 2022). A black box, compiled."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.peers import required
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb_each_target


@component
class Solver(BaseSolver):
    """skglm's Lasso, one target after the other. Its first run compiles for seconds; the warm-up pays for that."""

    max_iter: PositiveInt = 50
    ws_strategy: Literal["subdiff", "fixpoint"] = "subdiff"
    black_box: ClassVar = True
    slow_start: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m). Skip where skglm is not installed."""
        skglm = required("skglm")
        X = np.asfortranarray(problem.X) if isinstance(problem.X, np.ndarray) else problem.X.tocsc()

        def fit(y, tolerance):
            # Its tolerance bounds the largest violation of the optimality conditions, in units of X'y / n.
            scaled = tolerance * float(np.abs(X.T @ y).max()) / len(y)
            model = skglm.Lasso(
                alpha=problem.alpha,
                fit_intercept=False,
                tol=scaled,
                max_iter=self.max_iter,
                ws_strategy=self.ws_strategy,
            )
            return model.fit(X, y).coef_

        return climb_each_target(problem, monitor, fit)
