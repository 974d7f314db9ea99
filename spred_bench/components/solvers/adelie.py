"""adelie: block coordinate descent for group-elastic-net paths, in C++ (Yang & Hastie 2024). A black box.

It needs numpy below 2, hence an interpreter of its own: `solver.adelie.python=path/to/python`, of an environment with
adelie, scipy and pydantic. `task.isolate` has to let it run in a child process (the default does).
"""

from importlib import import_module
from typing import ClassVar

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._black_box import climb_each_target, strengths_down_to
from spred_bench.errors import Skip

_REMEDY = "pip install adelie into an environment of its own (numpy below 2), then solver.adelie.python=path/to/python"


@component
class Solver(BaseSolver):
    """adelie's grpnet with groups of one, down a path of `n_lambda` strengths to the one asked."""

    python: str | None = None
    n_lambda: PositiveInt = 5
    n_threads: PositiveInt = 2
    black_box: ClassVar = True

    def solve(self, problem, monitor):
        """Coefficients of `problem`, (p,) or (p, m). Skip where adelie is not installed, X is sparse or alpha = 0."""
        try:
            adelie = import_module("adelie")
        except ImportError as error:  # pip install beside numpy 2 would break the rest
            raise Skip(f"not installed ({error}): {_REMEDY}") from None
        if not isinstance(problem.X, np.ndarray):
            raise Skip("adelie's dense matrix takes no sparse X")
        X = np.asfortranarray(problem.X)
        design = adelie.matrix.dense(X, method="naive", n_threads=self.n_threads)

        def fit(y, tolerance):
            state = adelie.grpnet(
                X=design,
                glm=adelie.glm.gaussian(y=np.asarray(y, dtype=X.dtype)),
                lmda_path=strengths_down_to(problem, y, self.n_lambda),
                intercept=False,
                early_exit=False,
                tol=tolerance**2,
                progress_bar=False,
                n_threads=self.n_threads,
            )
            return np.asarray(state.betas[-1].todense()).ravel()

        return climb_each_target(problem, monitor, fit)
