"""spred as the paper has it (Algorithm 1): w = u * v, weight decay 2 kappa on both, any optimizer of torch.

The loss is the smooth part of the lasso objective, so that weight decay `alpha = 2 kappa` makes the sum of both the
lasso (Theorem 1). Steps are full-batch. Rates are dimensionless: they are multiplied by what the data allow. Around a
balanced minimum the Hessian in (u, v) is at most 2 L max|w|, with L the largest eigenvalue of X'X / n, and the best
single-feature fit is a cheap upper guess of max|w|.
"""

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn

from spred_bench.components.contract import component
from spred_bench.components.solvers import BaseSolver
from spred_bench.components.solvers._lipschitz import lipschitz_constant
from spred_bench.errors import Skip
from spred_bench.redundancy import effective_weights, parameter_groups, penalty, reparametrize
from spred_bench.training.callbacks import When
from spred_bench.training.trainer import train

_LBFGS_INNER = 10


@component
class Solver(BaseSolver):
    """Minimise over (u, v) with `optimizer`, from the point that steepest descent from zero reaches in one step.

    learning_rate: of SGD in units of 1 / (L max|w|), of Adam in units of sqrt(max|w|); L-BFGS searches its own step.
    """

    optimizer: Literal["sgd", "adam", "lbfgs"]
    learning_rate: PositiveFloat = 1.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    max_iter: PositiveInt = 20_000
    device: str = "cpu"

    @property
    def gap(self) -> float:
        """First-order optimizers meet a tight gap in the limit only."""
        return super().gap if self.optimizer == "lbfgs" else 1e-3

    def solve(self, problem, monitor):
        """Coefficients of `problem`, shape (p,) or (p, m). Skip for a sparse X."""
        if not isinstance(problem.X, np.ndarray):
            raise Skip("first-order spred works on a dense X")
        scale, model = self._start(problem)
        X = torch.as_tensor(problem.X, device=self.device)
        Y = torch.as_tensor(problem.Y, device=self.device, dtype=X.dtype)  # torch multiplies no two types
        n, kappa = len(Y), problem.kappa
        optimizer = self._optimizer(model, problem, scale)

        def loss(model, batch):
            smooth = (Y - X @ model.weight).square().sum() / (2 * n)
            return smooth + penalty(model, kappa) if self.optimizer == "lbfgs" else smooth

        def weights():
            return effective_weights(model)["weight"].double().cpu().numpy()

        judge = When(lambda run: monitor(run.step, weights), lambda run: monitor.due(run.step) or run.finished)
        run = train(model, optimizer, loss, None, max_steps=self.max_iter, until=judge)
        if run.status == "diverged":
            monitor.status = "diverged"
        return weights()

    def _start(self, problem) -> tuple[float, nn.Module]:
        """(guess of max|w|, module whose redundant weight starts at the Cauchy point)."""
        X, Y = problem.X, problem.Y.astype(problem.X.dtype, copy=False)
        correlation = X.T @ Y
        squares = np.einsum("ij,ij->j", X, X)
        slopes = np.abs(correlation).reshape(len(squares), -1).max(axis=1)
        fits = np.divide(slopes, squares, out=np.zeros_like(squares), where=squares > 0)
        image = X @ correlation
        curvature = np.vdot(image, image)
        length = np.vdot(correlation, correlation) / curvature if curvature > 0 else 0.0
        model = nn.Module()
        weight = torch.as_tensor(length * correlation, device=self.device)
        model.weight = nn.Parameter(weight)
        reparametrize(model, "weight", generator=torch.Generator(self.device).manual_seed(0))
        return float(fits.max(initial=0.0)) or 1.0, model

    def _optimizer(self, model, problem, scale: float):
        if self.optimizer == "lbfgs":
            # The monitor decides when to stop; the optimizer's own tolerances depend on the units of y.
            never = {"tolerance_grad": 0.0, "tolerance_change": 0.0}
            return torch.optim.LBFGS(
                model.parameters(), max_iter=_LBFGS_INNER, history_size=20, line_search_fn="strong_wolfe", **never
            )
        groups = parameter_groups(model, kappa=problem.kappa)
        if self.optimizer == "adam":
            return torch.optim.Adam(groups, lr=self.learning_rate * scale**0.5)
        rate = self.learning_rate / (lipschitz_constant(problem.X) * scale)
        return torch.optim.SGD(groups, lr=rate, momentum=self.momentum)
