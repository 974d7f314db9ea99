"""The paper's own scheme for Eq. (7): codes by SGD on (W, V), S = W * V, then the dictionary by L-BFGS on the batch.

After each batch the columns of B are normalised. "Normalising S by its rows" is read as follows: the code's gradient
is divided by the largest eigenvalue of B'B, so that one rate fits every batch, and the factors of a patch start at the
root mean square of the codes that one such step from zero gives: the rows of S begin at a common scale. W and V of all
patches are kept and every visit continues from the last one's: 8 k bytes a patch, 3.3 GB at the paper's size.
"""

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner


@component
class Learner(BaseLearner):
    """batch_size: patches a batch.  n_steps: of SGD on their codes, with `momentum`.  n_dictionary_steps: of L-BFGS."""

    batch_size: PositiveInt = 5000
    n_steps: PositiveInt = 10
    learning_rate: PositiveFloat = 0.5
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    n_dictionary_steps: PositiveInt = 5

    def learn(self, problem, monitor) -> None:
        """Batches in turn until the monitor says stop."""
        X, B = (torch.as_tensor(array, device=problem.device) for array in (problem.X, problem.start()))
        n, k, kappa = len(X), problem.n_atoms, problem.kappa
        generator = torch.Generator(X.device).manual_seed(problem.seed)
        W = torch.randn(n, k, device=X.device, generator=generator)
        V = torch.randn(n, k, device=X.device, generator=generator)
        started, n_seen = torch.zeros(n, dtype=torch.bool, device=X.device), 0
        monitor.restart()
        while True:
            for rows in torch.randperm(n, device=X.device, generator=generator).split(self.batch_size):
                x, w, v = X[rows], W[rows], V[rows]
                step = self.learning_rate / float(torch.linalg.matrix_norm(B, 2)) ** 2
                fresh = ~started[rows]
                if fresh.any():
                    size = (step * x[fresh] @ B).square().mean(1, keepdim=True).sqrt().sqrt()
                    w[fresh], v[fresh] = w[fresh] * size, v[fresh] * size
                    started[rows] = True
                w, v = self._codes(x, B, w, v, kappa, step)
                W[rows], V[rows] = w, v
                B = self._dictionary(x, B, w * v)
                n_seen += len(rows)
                if monitor(n_seen, lambda B=B: B.cpu().numpy()):
                    return

    def _codes(self, x: Tensor, B: Tensor, w: Tensor, v: Tensor, kappa: float, step: float) -> tuple[Tensor, Tensor]:
        """SGD with momentum on (w, v) of 0.5 |x - B s|^2 + kappa/2 (|w|^2 + |v|^2), half of Eq. (7)."""
        dw, dv = torch.zeros_like(w), torch.zeros_like(v)
        for _ in range(self.n_steps):
            gradient = (w * v @ B.T - x) @ B
            # the Hessian in (w, v) grows with the factors: by the largest squared one of a patch
            rate = step / torch.maximum(w.abs(), v.abs()).amax(1, keepdim=True).square().clamp_min(1.0)
            dw = self.momentum * dw - rate * (gradient * v + kappa * w)
            dv = self.momentum * dv - rate * (gradient * w + kappa * v)
            w, v = w + dw, v + dv
        return w, v

    def _dictionary(self, x: Tensor, B: Tensor, S: Tensor) -> Tensor:
        """A few steps of L-BFGS on the mean of |x - B s|^2, then unit columns."""
        B = B.clone().requires_grad_()
        gram, cross = S.T @ S / len(x), x.T @ S / len(x)
        optimizer = torch.optim.LBFGS([B], max_iter=self.n_dictionary_steps, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = ((B @ gram) * B).sum() / 2 - (B * cross).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        with torch.no_grad():
            return B / B.norm(dim=0).clamp_min(1e-12)
