"""Online spred: codes s = w * v exact to a few percent, the dictionary fitted to the sums over recent codes.

Codes are those of `spred_bench.sparse_coding.encoder`, only to a gap of 3 % of |x|^2 and started from the patch's last
ones, which are kept for all patches, packed. Given codes, Eq. (7) is a least-squares problem in B that needs no more
than S'S and S'X (`spred_bench.sparse_coding.statistics`): one sweep over the atoms after each batch. Batches grow with
the number of patches seen, and so does the window over which codes count: early on the number of steps matters and
old codes mislead, later the noise does.

What was tried and was slower: longer and shorter windows; batches that grow faster; codes to 1 %. Gradient steps with
momentum on B, divided by each atom's curvature, take two to three times as many patches at first, but go on where this
flattens, and ended lower in long runs.
"""

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner
from spred_bench.components.learners._units import Units
from spred_bench.sparse_coding.encoder import Dictionary
from spred_bench.sparse_coding.statistics import Packed, Statistics, unpack

_ENTRIES = 2**18  # of a unit's codes: what one thread works on fits its cache
_UNIT = 64  # patches of a unit, at most
_BATCHES = 8  # in a pass, at least
_WINDOW = 1.5  # batches over which codes count, at least


@component
class Learner(BaseLearner):
    """gap: relative duality gap of the codes.

    first_batch, growth: a batch has first_batch (a quarter of the atoms, if that is more) + growth * (patches seen)
    patches, an eighth of all at most.  window_atoms, window: codes count over the last window_atoms * (atoms) patches,
    or window * (patches seen) if that is more, but over no more than one pass.
    """

    gap: PositiveFloat = 0.03
    first_batch: PositiveInt = 256
    growth: NonNegativeFloat = 0.04
    window_atoms: PositiveFloat = 8.0
    window: NonNegativeFloat = 0.2

    def learn(self, problem, monitor) -> None:
        """Steps until the monitor says stop."""
        X, atoms = torch.from_numpy(problem.X), torch.from_numpy(problem.start()).T.contiguous()
        n, (k, m) = len(X), atoms.shape
        units = Units(X, k, max(1, min(_UNIT, _ENTRIES // k, n // (2 * _BATCHES))), problem.seed)
        first = max(self.first_batch, k // 4)
        statistics, last_use, n_seen = Statistics(k, m), torch.zeros(k), 0
        monitor.restart()
        while not monitor(n_seen, lambda B=atoms.T: B.numpy()):
            batch = units.draw(min(first + self.growth * n_seen, n / _BATCHES))
            coded = units.encode(batch, Dictionary(atoms.T), problem.kappa, self.gap)
            size = sum(len(x) for x, _ in coded)
            n_seen += size
            window = max(min(max(self.window_atoms * k, self.window * n_seen), n), _WINDOW * size)
            statistics.add(coded, weight=1 - size / window)
            statistics.sweep(atoms)
            last_use[np.concatenate([codes.index for _, codes in coded])] = n_seen
            dead = torch.nonzero(last_use < n_seen - n).flatten()
            if len(dead):
                dead = revive(atoms, dead, *coded[-1])
                statistics.drop(dead)
                last_use[dead] = n_seen


def revive(atoms: Tensor, dead: Tensor, x: Tensor, codes: Packed) -> Tensor:
    """Atoms (k, m) with the numbers `dead` become, in place, what codes leave of the patches x (b, m) coded worst.

    Which of them: no more than there are patches.
    """
    residual = x - torch.from_numpy(unpack(codes, len(atoms))) @ atoms
    dead = dead[: len(x)]
    worst = residual[residual.square().sum(1).topk(len(dead)).indices]
    atoms[dead] = torch.nn.functional.normalize(worst, dim=1)
    return dead
