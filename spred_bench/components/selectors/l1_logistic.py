"""L1-penalised logistic regression by scikit-learn: liblinear, one class against the rest, or saga where samples are
many (on hundreds of samples and thousands of features saga takes thousands of passes and still does not converge).
"""

import inspect
import warnings
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import l1_min_c

from spred_bench.components.contract import component
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.components.selectors.classifiers import probabilities

_MANY_SAMPLES = 5000
_SMALLEST_RATIO = 1.2  # at 1 nothing is selected
# scikit-learn 1.8 calls the same penalty by another name.
_PENALTY = inspect.signature(LogisticRegression).parameters.get("penalty")
_L1 = {"penalty": "l1"} if _PENALTY is not None and _PENALTY.default == "l2" else {"l1_ratio": 1.0}


@component
class Selector(BaseSelector):
    """Inverse strengths C: `n_points` from just above the smallest that selects anything to `largest_ratio` times it.

    A feature is selected if any class has a coefficient for it, and ranked by the norm of its coefficients.
    """

    n_points: PositiveInt = 12
    largest_ratio: Annotated[float, Field(ge=_SMALLEST_RATIO)] = 1000.0
    solver: Literal["auto", "liblinear", "saga"] = "auto"

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per C, from the strongest penalty on."""
        smallest = l1_min_c(split.X_train, split.y_train, loss="log")
        strengths = smallest * np.geomspace(_SMALLEST_RATIO, self.largest_ratio, self.n_points)
        return [self._at(C, split, n_classes, seed) for C in strengths]

    def _at(self, C: float, split: Split, n_classes: int, seed: int) -> Selection:
        solver = self.solver
        if solver == "auto":
            solver = "saga" if len(split.X_train) > _MANY_SAMPLES else "liblinear"
        model = LogisticRegression(C=C, solver=solver, random_state=seed, max_iter=1000, **_L1)
        model = OneVsRestClassifier(model) if solver == "liblinear" else model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not converged: the dev part judges it
            model.fit(split.X_train, split.y_train)
        parts = model.estimators_ if solver == "liblinear" else [model]
        norms = np.linalg.norm(np.concatenate([part.coef_ for part in parts]), axis=0)
        features = np.argsort(-norms, kind="stable")[: np.count_nonzero(norms)]
        return scored({"C": float(C)}, features, probabilities(model, n_classes), split)
