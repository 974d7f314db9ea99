"""Methods that select features and classify with them, one file each, with a class `Selector` (section 4.3).

A selector returns its whole tuning grid or path for one sampling. The task chooses a point by the dev part alone; a
selector never sees the test part.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

# A probability below this costs no more than this: one sample that a method rules out must not decide alone.
_LEAST_PROBABILITY = 1e-12


class Split(NamedTuple):
    """One sampling, scaled and imputed already: X (n, d) float32, labels (n,) int64 from 0 to n_classes - 1."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_dev: np.ndarray
    y_dev: np.ndarray


class Selection(NamedTuple):
    """One point of a method's grid or path.

    settings: what was tuned, {} where nothing is.  features: (k,) indices, the most important first.
    dev_loss: mean cross entropy on the dev part.  predict: (m, d) to labels (m,).
    curve: (step, training loss, dev accuracy), of methods that train.
    """

    settings: dict
    features: np.ndarray
    dev_accuracy: float
    dev_loss: float
    predict: Callable[[np.ndarray], np.ndarray]
    curve: tuple[tuple[int, float, float], ...] = ()


class BaseSelector(ABC):
    """What `task=gene_selection` asks of every selector.

    trains_together: `select_many` is faster than a `select` for each sampling, and is called instead.
    """

    trains_together = False

    def check(self) -> None:
        """Raises Skip, with the reason, where the selector cannot run here."""

    @abstractmethod
    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """Every point of the grid or path. `seed` orders whatever is random."""

    def select_many(
        self, splits: Sequence[Split], n_classes: int, seeds: Sequence[int], device: str
    ) -> list[list[Selection]]:
        """`select` for several samplings, one seed each."""
        return [self.select(split, n_classes, seed, device) for split, seed in zip(splits, seeds, strict=True)]


def scored(settings: dict, features, decide, split: Split, curve=()) -> Selection:
    """A Selection, its answers the largest of `decide`, and how good those are on the dev part.

    decide: (m, d) to (m, C), the logarithms of the classes' probabilities up to a constant per sample.
    """
    scores, at = decide(split.X_dev), (np.arange(len(split.y_dev)), split.y_dev)
    accuracy = float(np.mean(scores.argmax(axis=1) == split.y_dev))
    log_probability = np.maximum(log_softmax(np.asarray(scores, dtype=np.float64), axis=1), np.log(_LEAST_PROBABILITY))
    loss = float(np.nan_to_num(-log_probability[at].mean(), nan=np.inf))

    def predict(X: np.ndarray) -> np.ndarray:
        return decide(X).argmax(axis=1)

    return Selection(settings, np.asarray(features, dtype=np.int64), accuracy, loss, predict, tuple(curve))
