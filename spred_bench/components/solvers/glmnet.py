"""glmnet: Friedman, Hastie & Tibshirani's Fortran coordinate descent along a path. A black box."""

from typing import ClassVar

from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.peers import required
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb_each_target, strengths_down_to


@component
class Solver(BaseSolver):
    """python-glmnet's ElasticNet with alpha = 1, along `n_lambda` strengths from lambda_max down to the one asked."""

    n_lambda: PositiveInt = 10
    max_iter: PositiveInt = 1_000_000
    black_box: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m). Skip where python-glmnet is not installed, or alpha = 0."""
        glmnet = required("glmnet", "python-glmnet")

        def fit(y, tolerance):
            model = glmnet.ElasticNet(
                alpha=1.0,
                lambda_path=strengths_down_to(problem, y, self.n_lambda),
                standardize=False,
                fit_intercept=False,
                n_splits=0,
                tol=tolerance**2,  # on the squared change of the fit
                max_iter=self.max_iter,
            )
            return model.fit(problem.X, y).coef_path_[:, -1]

        return climb_each_target(problem, monitor, fit)
