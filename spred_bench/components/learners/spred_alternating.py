"""Classic alternating minimisation with its lasso step replaced by spred, the paper's last remark on sparse coding.

Codes of all patches by `spred_bench.sparse_coding.encoder`, from those of the last round, then the dictionary for
these codes (Lee et al. 2006), and again. Nothing is forgotten and nothing is drawn: the objective on the patches learnt
from falls with every step. `alternating_fista` is the same by blocks, with its lasso step by FISTA.
"""

import torch
from pydantic import PositiveFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner
from spred_bench.components.learners._units import Units
from spred_bench.sparse_coding.encoder import Dictionary
from spred_bench.sparse_coding.statistics import Statistics

_UNIT = 64  # patches that one thread codes at a time


@component
class Learner(BaseLearner):
    """gap: relative duality gap of the codes.  n_sweeps: over the atoms, for given codes."""

    gap: PositiveFloat = 0.01
    n_sweeps: PositiveInt = 5

    def learn(self, problem, monitor) -> None:
        """Rounds over all patches until the monitor says stop."""
        X, atoms = torch.from_numpy(problem.X), torch.from_numpy(problem.start()).T.contiguous()
        units = Units(X, len(atoms), _UNIT, problem.seed)
        statistics, n_seen = Statistics(*atoms.shape), 0
        monitor.restart()
        while not monitor(n_seen, lambda: atoms.T.numpy()):
            coded = units.encode(range(len(units)), Dictionary(atoms.T), problem.kappa, self.gap)
            statistics.add(coded, weight=0.0)
            for _ in range(self.n_sweeps):
                statistics.sweep(atoms)
            n_seen += len(X)
