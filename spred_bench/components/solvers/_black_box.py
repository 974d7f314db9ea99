"""Solvers that are judged as a black box: fitted from scratch at each tolerance that the monitor asks for."""

import warnings

import numpy as np

from spred_bench.errors import Skip
from spred_bench.lasso import as_columns, lambda_max


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
