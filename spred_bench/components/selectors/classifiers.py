"""scikit-learn's classifiers as what `scored` takes: samples (m, d) to scores (m, C) of all classes of the data."""

from collections.abc import Callable

import numpy as np
from sklearn.svm import SVC

from spred_bench.components.selectors import Split


def support_vectors(split: Split, features: np.ndarray, n_classes: int, C: float) -> Callable:
    """The margins of a support vector machine (RBF kernel) fitted to these features of the training part.

    Margins have no probabilities; what is compared is their logistic loss.
    """
    model = SVC(C=C, break_ties=True).fit(split.X_train[:, features], split.y_train)

    def decide(X: np.ndarray) -> np.ndarray:
        margins = model.decision_function(X[:, features])
        # Of two classes there is one margin, the second's.
        columns = np.stack([0 * margins, margins], axis=1) if margins.ndim == 1 else margins
        return _for_all(columns, model.classes_, n_classes)

    return decide


def probabilities(model, n_classes: int) -> Callable:
    """The logarithms of a fitted model's probabilities."""

    def decide(X: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # a probability of 0
            return _for_all(np.log(model.predict_proba(X)), model.classes_, n_classes)

    return decide


def _for_all(columns: np.ndarray, classes: np.ndarray, n_classes: int) -> np.ndarray:
    """(m, n_classes): -inf for a class that the training part has not."""
    scores = np.full((len(columns), n_classes), -np.inf)
    scores[:, classes] = columns
    return scores
