"""Proximal gradient: ISTA, and FISTA (Beck & Teboulle 2009) with O'Donoghue & Candes' adaptive restart (2015)."""

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._lipschitz import lipschitz_constant
from spred_bench.lasso import soft_threshold


@component
class Solver(BaseSolver):
    """Steps of 1/L on the squared loss, each followed by soft-thresholding."""

    accelerated: bool = True
    max_iter: PositiveInt = 100_000

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m)."""
        X, Y, n = problem.X, problem.Y, problem.X.shape[0]
        step = 1.0 / lipschitz_constant(X)
        w = np.zeros(problem.shape, dtype=X.dtype)
        z, momentum = w, 1.0
        for iteration in range(self.max_iter):
            if monitor(iteration, lambda w=w: w):
                break
            gradient = X.T @ (X @ z - Y) / n
            new = soft_threshold(z - step * gradient, step * problem.alpha)
            if not self.accelerated:
                w = z = new
                continue
            if np.vdot(z - new, new - w) > 0:
                momentum = 1.0  # moving uphill: forget the speed
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            z = new + ((momentum - 1) / following) * (new - w)
            w, momentum = new, following
        return w
