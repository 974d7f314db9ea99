"""Coordinate descent, scikit-learn's `Lasso`, one target after the other (the paper's "Lasso").

Friedman, Hastie & Tibshirani (2010). A black box: fitted from scratch at each tolerance.
"""

from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb


@component
class Solver(BaseSolver):
    """scikit-learn's coordinate descent, screening included where the installed version has it.

    With several targets and no more features than samples the Gram matrix is computed once for all: its best setting.
    """

    max_iter: PositiveInt = 100_000
    black_box: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        from sklearn.linear_model import Lasso

        # What Lasso would do itself, at every fit; a sparse X has its own order.
        X = np.asfortranarray(problem.X) if isinstance(problem.X, np.ndarray) else problem.X

        shared_gram = problem.n_targets > 1 and X.shape[1] <= X.shape[0]

        def fit(Y, tolerance):
            model = Lasso(
                alpha=problem.alpha,
                fit_intercept=False,
                precompute=shared_gram,
                tol=tolerance,
                max_iter=self.max_iter,
            )
            return model.fit(X, Y).coef_.T

        return climb(problem, monitor, fit)
