"""The diabetes study shipped with scikit-learn (Efron et al. 2004): 442 patients, 10 measurements, one outcome."""

import itertools

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression


@component
class Source(BaseSource):
    """Columns and outcome centred, columns scaled to variance one.

    quadratic: add all squares and products of two measurements, but not the square of the binary column (it is a
    linear function of the column itself): the 64 features of Efron et al.
    """

    quadratic: bool = False

    def load(self, seed: int) -> Regression:
        """The whole data set, whatever the seed."""
        from sklearn.datasets import load_diabetes

        X, y = load_diabetes(return_X_y=True)
        X = _standardised(X)
        if self.quadratic:
            pairs = itertools.combinations_with_replacement(range(X.shape[1]), 2)
            binary = [len(np.unique(column)) == 2 for column in X.T]
            products = [X[:, i] * X[:, j] for i, j in pairs if not (i == j and binary[i])]
            X = _standardised(np.column_stack([X, *products]))
        return Regression(np.asfortranarray(X), y - y.mean())


def _standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)
