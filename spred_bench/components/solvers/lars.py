"""Least-angle regression, scikit-learn's `lars_path` (Efron et al. 2004): the exact path down to alpha.

A black box with one answer: the path either reaches alpha or it does not.
"""

from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.errors import Skip
from spred_bench.lasso import as_columns


@component
class Solver(BaseSolver):
    """LARS with the lasso modification, one path per target."""

    max_iter: PositiveInt = 100_000
    black_box: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        from sklearn.linear_model import lars_path

        if not isinstance(problem.X, np.ndarray):
            raise Skip("lars_path takes no sparse X")
        columns = []
        for y in as_columns(np.asarray(problem.Y, dtype=np.float64)).T:
            _, _, w = lars_path(
                problem.X,
                y,
                alpha_min=problem.alpha,
                method="lasso",
                max_iter=self.max_iter,
                return_path=False,
            )
            columns.append(w)
        w = np.stack(columns, axis=1).reshape(problem.shape)
        monitor(0, lambda: w)
        return w
