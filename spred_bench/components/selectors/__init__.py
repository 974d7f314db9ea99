"""Methods that select features and classify with them, one file each (section 4.3). A protocol hands over one sampling
and gets the whole tuning grid or path back; which point counts is the protocol's to say, by the dev part alone.

    selector.check()                                         raises Skip, with the reason, where it cannot run here
    selector.select(split, n_classes, seed, device)          every point of the grid, one Selection each
    selector.select_many(splits, n_classes, seeds, device)   optional: several samplings together, where that is faster

`seed` orders whatever is random in the method; the test part is never here.
"""

from collections.abc import Callable
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
