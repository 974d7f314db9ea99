"""A univariate filter: features ranked by the F statistic of a one-way analysis of variance, then a support vector
machine on the best. No feature knows of another: what a joint selection has to beat.
"""

import warnings

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from sklearn.feature_selection import f_classif

from spred_bench.components.contract import component
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.components.selectors.classifiers import support_vectors


@component
class Selector(BaseSelector):
    """n_features: sizes of the selection.  C: of the support vector machine (RBF kernel).  Grid: all pairs."""

    n_features: list[PositiveInt] = Field(min_length=1)
    C: list[PositiveFloat] = Field(min_length=1)

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per size and C; sizes above the number of features are cut."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant features have no F, and come last
            scores = np.nan_to_num(f_classif(split.X_train, split.y_train)[0], nan=-1.0)
        order = np.argsort(-scores, kind="stable")
        return [
            scored({"n_features": k, "C": C}, order[:k], support_vectors(split, order[:k], n_classes, C), split)
            for k in self.n_features
            for C in self.C
        ]
