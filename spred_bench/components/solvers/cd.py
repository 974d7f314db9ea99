"""Coordinate descent, scikit-learn's `Lasso`, one target after the other (the paper's "Lasso").

Friedman, Hastie & Tibshirani (2010). A black box: fitted from scratch at each tolerance.
"""

import warnings
from importlib import import_module
from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.errors import Skip
from spred_bench.lasso import as_columns, lambda_max


def required(module: str, package: str | None = None):
    """The imported module of a peer, or Skip with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Skip(f"not installed ({error}): pip install {package or module}") from None


def climb(problem, monitor, fit):
    """Run the black box `fit(Y, tolerance) -> coefficients` at each tolerance the monitor asks for.

    Returns the coefficients of the tightest, in the problem's shape.
    """
    tightest, kept = float("inf"), None
    with warnings.catch_warnings():
        # Not reaching its own tolerance is no news: the monitor judges every solver by the same gap.
        warnings.simplefilter("ignore")
        for step, tolerance in enumerate(monitor.ladder()):
            w = fit(problem.Y, tolerance).reshape(problem.shape)
            monitor(step, lambda w=w: w)
            if tolerance < tightest:
                tightest, kept = tolerance, w
    return kept


def climb_each_target(problem, monitor, fit):
    """The same for a `fit(y, tolerance) -> (p,)` that takes one target at a time."""

    def fit_all(Y, tolerance):
        return np.stack([fit(np.ascontiguousarray(y), tolerance) for y in as_columns(Y).T], axis=1)

    return climb(problem, monitor, fit_all)


def strengths_down_to(problem, y, number: int) -> np.ndarray:
    """(number,) strengths from the lambda_max of target y down to the problem's, which is always there; Skip for 0."""
    if not problem.alpha > 0:
        raise Skip("its path of strengths is geometric: it cannot end at 0")
    return np.geomspace(problem.alpha, max(lambda_max(problem.X, y), problem.alpha), number)[::-1]


@component
class Solver:
    """scikit-learn's coordinate descent, screening included where the installed version has it.

    With several targets and no more features than samples the Gram matrix is computed once for all: its best setting.
    """

    max_iter: PositiveInt = 100_000
    black_box: ClassVar[bool] = True

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
