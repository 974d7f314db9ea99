"""Online spred: codes s = w * v exact to a few percent, the dictionary by descent with momentum.

By the envelope theorem the gradient of min_s |x - B s|^2 + 2 kappa |s|_1 in B is -2 (x - B s) s', codes held fixed:
all that a step needs of a batch. Three things make it fast. Codes are those of `spred_bench.sparse_coding.encoder`,
only to a gap of 3 % of |x|^2 and started from the patch's last ones, kept sparse. An atom's gradient is divided by the
mean square of its code, its curvature, and goes through momentum. Batches begin with as many patches as there are
atoms and grow by as many with every pass: early on the number of steps counts, later the noise.

What was tried and was slower: fitting the dictionary to sums over all last codes, as online learning does (old codes
hold it back), more momentum, tighter codes; batches of constant size stall.
"""

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from spred_bench.components import component
from spred_bench.sparse_coding.encoder import Dictionary, run_blocks, solve_block

_LEAST = 256  # patches of the first batch
_ENTRIES = 2**18  # of a unit's codes: what one thread works on fits its cache
_MEMORY = 5000  # patches over which an atom's curvature is averaged, at least one batch
_FLOOR = 0.05  # of the mean curvature: what the curvature of a rare atom is raised by


@component
class Learner:
    """learning_rate, momentum: of the dictionary.  gap: relative duality gap of the codes.

    growth: patches by which the batch grows in one pass, as a multiple of the first batch.
    """

    learning_rate: PositiveFloat = 0.4
    momentum: NonNegativeFloat = 0.9
    gap: PositiveFloat = 0.03
    growth: NonNegativeFloat = 1.0

    def learn(self, problem, monitor) -> None:
        """Steps until the monitor says stop."""
        X, atoms = torch.from_numpy(problem.X), torch.from_numpy(problem.start()).T.contiguous()
        first = min(len(X), max(_LEAST, problem.n_atoms))
        units = Units(X, problem.n_atoms, min(_ENTRIES // problem.n_atoms, first // 2), problem.seed)
        velocity, curvature = torch.zeros_like(atoms), torch.zeros(len(atoms))
        last_use, n_seen = torch.zeros(len(atoms)), 0
        monitor.restart()
        while not monitor(n_seen, lambda B=atoms.T: B.numpy()):
            size = first * (1 + self.growth * n_seen / len(X))
            n, squares, gradient, worst = units.visit(size, Dictionary(atoms.T), problem.kappa, self.gap)
            share = 1.0 if n_seen == 0 else min(1.0, n / _MEMORY)
            n_seen += n
            curvature.lerp_(squares / n, share)
            scale = curvature + _FLOOR * curvature.mean().clamp_min(1e-30)
            velocity = self.momentum * velocity + gradient / (n * scale[:, None])
            atoms = torch.nn.functional.normalize(atoms + self.learning_rate * velocity, dim=1)
            last_use[squares > 0] = n_seen
            revive(atoms, velocity, curvature, last_use, n_seen, len(X), worst)


def revive(atoms, velocity, curvature, last_use, n_seen: int, patience: int, worst: Tensor) -> None:
    """Atoms that no code used in `patience` patches become, in place, the residuals (c, m) of the worst-coded ones."""
    dead = torch.nonzero(last_use < n_seen - patience).flatten()[: len(worst)]
    if len(dead):
        atoms[dead] = torch.nn.functional.normalize(worst[: len(dead)], dim=1)
        velocity[dead], curvature[dead], last_use[dead] = 0.0, curvature.mean(), float(n_seen)


class Units:
    """The patches (n, m) in fixed units of neighbours in a random order, each with the codes of its last visit."""

    def __init__(self, X: Tensor, k: int, size: int, seed: int):
        self._rng = np.random.default_rng([seed, 2])
        order = torch.from_numpy(self._rng.permutation(len(X)))
        self._patches = [X[rows] for rows in order.split(max(1, size))]
        self._codes = [torch.zeros(len(x), k).to_sparse() for x in self._patches]
        self._queue: list[int] = []

    def visit(self, n_patches: float, dictionary: Dictionary, kappa: float, gap: float):
        """Code the next units, about `n_patches` patches; how many these were, and with S their codes (n, k):

        diag(S'S) (k,), S'(X - S B') (k, m) and the residuals of the patches coded worst (c, m).
        """
        batch, n = [], 0
        while not batch or n + len(self._patches[batch[-1]]) // 2 < n_patches:
            self._queue = self._queue or self._rng.permutation(len(self._patches)).tolist()
            if self._queue[-1] in batch:
                break
            batch.append(self._queue.pop())
            n += len(self._patches[batch[-1]])

        def work(unit: int):
            x, S = self._patches[unit], self._codes[unit].to_dense()
            solve_block(x, S, dictionary, kappa, gap)
            residual = x - S @ dictionary.atoms
            self._codes[unit] = S.to_sparse()
            worst = residual[residual.square().sum(1).topk(min(2, len(x))).indices]
            return S.square().sum(0), S.T @ residual, worst

        squares, gradients, worst = zip(*run_blocks(work, batch), strict=True)
        return n, sum(squares), sum(gradients), torch.cat(worst)
