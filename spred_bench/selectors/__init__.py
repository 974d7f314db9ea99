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


class Split(NamedTuple):
    """One sampling, scaled and imputed already: X (n, d) float32, labels (n,) int64 from 0 to n_classes - 1."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_dev: np.ndarray
    y_dev: np.ndarray


class Selection(NamedTuple):
    """One point of a method's grid or path.

    settings: what was tuned, {} where nothing is.  features: (k,) indices, the most important first.
    predict: (m, d) to labels (m,).  curve: (step, training loss, dev accuracy), of methods that train.
    """

    settings: dict
    features: np.ndarray
    dev_accuracy: float
    predict: Callable[[np.ndarray], np.ndarray]
    curve: tuple[tuple[int, float, float], ...] = ()


def scored(settings: dict, features, predict, split: Split, curve=()) -> Selection:
    """A Selection with the accuracy of `predict` on the dev part."""
    accuracy = float(np.mean(predict(split.X_dev) == split.y_dev))
    return Selection(settings, np.asarray(features, dtype=np.int64), accuracy, predict, tuple(curve))


def fitted_on(model, split: Split, features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The predictor of a scikit-learn classifier fitted to these features of the training part."""
    model.fit(split.X_train[:, features], split.y_train)
    return lambda X: model.predict(X[:, features])
