"""Coordinate descent, scikit-learn's `Lasso`, one target after the other (the paper's "Lasso").

Friedman, Hastie & Tibshirani (2010). A black box: fitted from scratch at each tolerance.
"""

import warnings

import numpy as np
from pydantic import PositiveInt

from spred_bench.components import component


@component
class Solver:
    """scikit-learn's coordinate descent, screening included where the installed version has it."""

    max_iter: PositiveInt = 100_000

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import Lasso

        # What Lasso would do itself, at every fit; a sparse X has its own order.
        X = np.asfortranarray(problem.X) if isinstance(problem.X, np.ndarray) else problem.X
        with warnings.catch_warnings():
            # Not reaching its own tolerance is no news: the monitor judges every solver by the same gap.
            warnings.simplefilter("ignore", ConvergenceWarning)
            for step, tolerance in enumerate(monitor.ladder()):
                model = Lasso(alpha=problem.alpha, fit_intercept=False, tol=tolerance, max_iter=self.max_iter)
                w = model.fit(X, problem.Y).coef_.T.reshape(problem.shape)
                if monitor(step, lambda w=w: w):
                    break
        return w
