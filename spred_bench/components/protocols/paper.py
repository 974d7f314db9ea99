"""What the authors' loader did: every label of every factor type is a class, and a sample enters once per factor type.

So copies of a sample, with different labels, fall on both sides of the split, and the scaling has seen all of them.
"""

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.genes import Expression
from spred_bench.components.protocols import BaseProtocol, Labelled, Sampling, assemble, part_sizes
from spred_bench.errors import UserError

_FEWEST = 5


@component
class Protocol(BaseProtocol):
    """Pairs in the file's order of subsets; random 60/20/20 without regard to class or sample."""

    def label(self, data: Expression) -> Labelled:
        """All pairs of a sample and a label of any factor. UserError for fewer than five, or for one label only."""
        rows, y, classes = [], [], []
        for factor, labels in data.factors.items():
            for label in dict.fromkeys(labels[labels != ""]):
                members = np.flatnonzero(labels == label)
                rows.append(members)
                y.append(np.full(len(members), len(classes)))
                classes.append(f"{factor}: {label}")
        n = sum(map(len, rows))
        if n < _FEWEST:
            raise UserError(f"{n} pairs of sample and label; 60/20/20 needs at least {_FEWEST}")
        if len(classes) < 2:
            raise UserError(f"all samples have one label, '{classes[0]}': nothing to tell")
        return Labelled(np.concatenate(rows), np.concatenate(y), classes, " + ".join(data.factors))

    def sample(self, data: Expression, labelled: Labelled, seed: int) -> Sampling:
        """The authors' scaling of all pairs, missing values as 0, and one random division of them."""
        X = data.X[labelled.rows]
        missing = np.isnan(X)
        X[missing] = 0
        # One standard deviation of all values together, about their common mean: as the authors had it.
        std = X.std(dtype=np.float64) + 1e-10
        X -= X.mean(axis=0, dtype=np.float64).astype(np.float32)
        X /= np.float32(std)
        order = np.random.default_rng([seed, 5]).permutation(len(X))
        n_dev, n_test = part_sizes(len(X))
        test, dev, train = np.split(order, [n_test, n_test + n_dev])
        return assemble(X, labelled.y, train, dev, test, int(missing.sum()), log=False)
