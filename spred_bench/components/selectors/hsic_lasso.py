"""HSIC-Lasso (Yamada et al. 2014; blocks: Climente-Gonzalez et al. 2019), by pyHSICLasso, then an RBF support vector
machine on the selected features: the paper's kernel-based rival.
"""

import contextlib
import io
import warnings
from unittest import mock

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.peers import required
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.components.selectors.classifiers import support_vectors


def rank(X, y, n_features: int, blocks: int, n_jobs: int = 1, permutations: int = 3) -> np.ndarray:
    """Up to `n_features` indices of X (n, d), the largest coefficient first; the library may find fewer.

    Blocks of `blocks` samples, or one of all where there are fewer; permutations: M, divisions into blocks, 3 in the
    library. Skip where pyHSICLasso is not installed.
    """
    hsic = required("pyHSICLasso", "'spred-bench[genes]'")
    model = hsic.HSICLasso()
    with _as_it_expects():
        model.input(np.asarray(X, dtype=np.float64), y)
        model.classification(num_feat=n_features, B=min(blocks, len(X)), M=permutations, n_jobs=n_jobs)
    return np.array(model.get_index(), dtype=np.int64)


@contextlib.contextmanager
def _as_it_expects():
    """The surroundings of numpy 1, whose `linalg.linalg` it catches errors by; silent; the random state put back."""
    state = np.random.get_state()
    silent = contextlib.redirect_stdout(io.StringIO())
    with silent, warnings.catch_warnings(), mock.patch.object(np.linalg, "linalg", np.linalg, create=True):
        warnings.simplefilter("ignore")  # blocks that do not divide the samples, divisions by zero in its LARS
        try:
            yield
        finally:
            np.random.set_state(state)


@component
class Selector(BaseSelector):
    """n_features: sizes of the selection, the largest first found, the others its head.  C: of the support vector
    machine.  blocks: samples per block, B.  Grid: all pairs of n_features and C."""

    n_features: list[PositiveInt] = Field(min_length=1)
    C: list[PositiveFloat] = Field(min_length=1)
    blocks: PositiveInt = 20

    def check(self) -> None:
        """Skip where pyHSICLasso is not installed."""
        required("pyHSICLasso", "'spred-bench[genes]'")

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per size and C."""
        order = rank(split.X_train, split.y_train, max(self.n_features), self.blocks)
        return [
            scored({"n_features": k, "C": C}, order[:k], support_vectors(split, order[:k], n_classes, C), split)
            for k in self.n_features
            for C in self.C
        ]
