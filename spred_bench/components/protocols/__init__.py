"""Protocols of gene selection, one file each, with a class `Protocol`.

A protocol says which pairs of sample and label there are, and how they are divided. Selectors see training and dev
part; the test part is for the task, once.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spred_bench.components.data.genes import Expression
from spred_bench.components.selectors import Split

TEST_FRACTION = DEV_FRACTION = 0.2


class Labelled(NamedTuple):
    """Pairs of a sample and a label.

    rows: (m,) indices of samples.  y: (m,) int64, 0 ... n_classes - 1.  classes: their names.  factor: where from.
    """

    rows: np.ndarray
    y: np.ndarray
    classes: list[str]
    factor: str


class Sampling(NamedTuple):
    """One division of the pairs, X scaled, all float32.  n_imputed: values that were missing.  log: log2 was taken."""

    split: Split
    X_test: np.ndarray
    y_test: np.ndarray
    n_imputed: int
    log: bool


class BaseProtocol(ABC):
    """What `task=gene_selection` asks of every protocol."""

    def check(self, datasets: Sequence[Expression]) -> None:
        """Raises UserError where the protocol names what no data set of the run has."""

    @abstractmethod
    def label(self, data: Expression) -> Labelled:
        """The pairs of sample and label. Raises UserError where the data cannot be labelled so."""

    @abstractmethod
    def sample(self, data: Expression, labelled: Labelled, seed: int) -> Sampling:
        """One random division into training, dev and test part, scaled."""


def majority_rate(labelled: Labelled) -> float:
    """Share of the most frequent class among the pairs."""
    return np.bincount(labelled.y).max() / len(labelled.y)


def ceiling(labelled: Labelled) -> float:
    """Best accuracy on all pairs of any function of the sample: a sample with several labels can be right in one."""
    counts = np.zeros((labelled.rows.max() + 1, len(labelled.classes)), dtype=int)
    np.add.at(counts, (labelled.rows, labelled.y), 1)
    return counts.max(axis=1).sum() / len(labelled.y)


def part_sizes(n: int) -> tuple[int, int]:
    """How many of n go to dev and to test: a fifth each, rounded, but at least one."""
    return max(round(DEV_FRACTION * n), 1), max(round(TEST_FRACTION * n), 1)


def assemble(X: np.ndarray, y: np.ndarray, train, dev, test, n_imputed: int, log: bool) -> Sampling:
    """A Sampling from the scaled pairs, float32, and the indices of its parts."""
    return Sampling(Split(X[train], y[train], X[dev], y[dev]), X[test], y[test], n_imputed, log)
