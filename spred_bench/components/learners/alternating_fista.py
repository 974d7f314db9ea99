"""Alternating minimisation, the classic way: codes of a block by FISTA, then the dictionary, then the next block.

Codes of all patches are kept and every visit starts from the last one's, so the statistics S'S and S'X that the
dictionary is fitted to are those of one code per patch (Lee et al. 2006 with the solver of Beck & Teboulle 2009).
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner


def fista(X: Tensor, B: Tensor, S: Tensor, kappa: float, n_steps: int) -> Tensor:
    """Codes (n, k) of X (n, m) after `n_steps` from S with B (m, k): min 0.5 |x - B s|^2 + kappa |s|_1."""
    gram, target = B.T @ B, X @ B
    step = 1 / torch.linalg.matrix_norm(gram, 2)
    point, momentum = S, 1.0
    for _ in range(n_steps):
        moved = torch.nn.functional.softshrink(point - step * (point @ gram - target), float(step * kappa))
        grown = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        point, S, momentum = moved + (momentum - 1) / grown * (moved - S), moved, grown
    return S


def fit_dictionary(B: Tensor, code_gram: Tensor, cross: Tensor, n_sweeps: int) -> Tensor:
    """Columns of B (m, k), one after the other, for S'S (k, k) and X'S (m, k), projected on the unit ball.

    Mairal et al. (2009), Algorithm 2. A column no code uses stays.
    """
    B = B.clone()
    for _ in range(n_sweeps):
        for j in torch.nonzero(code_gram.diagonal() > 1e-6 * code_gram.diagonal().max()).flatten().tolist():
            column = B[:, j] + (cross[:, j] - B @ code_gram[:, j]) / code_gram[j, j]
            B[:, j] = column / column.norm().clamp(min=1.0)
    return B


@component
class Learner(BaseLearner):
    """batch_size: patches a block.  n_steps: of FISTA a visit.  n_sweeps: over the atoms after each block."""

    batch_size: PositiveInt = 5000
    n_steps: PositiveInt = 20
    n_sweeps: PositiveInt = 1

    def learn(self, problem, monitor) -> None:
        """Blocks in turn until the monitor says stop."""
        X = torch.from_numpy(problem.X).to(problem.device)
        B = torch.from_numpy(problem.start()).to(problem.device)
        S = X.new_zeros(len(X), problem.n_atoms)
        code_gram, cross = X.new_zeros(problem.n_atoms, problem.n_atoms), X.new_zeros(X.shape[1], problem.n_atoms)
        n_seen = 0
        monitor.restart()
        while True:
            for at in range(0, len(X), self.batch_size):
                block = slice(at, at + self.batch_size)
                before = S[block].clone()
                S[block] = fista(X[block], B, before, problem.kappa, self.n_steps)
                code_gram += S[block].T @ S[block] - before.T @ before
                cross += X[block].T @ (S[block] - before)
                B = fit_dictionary(B, code_gram, cross, self.n_sweeps)
                n_seen += len(X[block])
                if monitor(n_seen, lambda B=B: B.cpu().numpy()):
                    return
