"""Gaussian design with a sparse or dense truth (paper, section 4.1: n = 1000, noise 0.1, dense truth)."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression


@component
class Source(BaseSource):
    """Rows N(0, Sigma) with Sigma_ij = correlation^|i-j|; Y = X W + noise * N(0, 1) with W ~ N(0, 1) on its support.

    n_nonzero: size of each target's support where truth=sparse.  noise: standard deviation added to Y.
    """

    n_samples: PositiveInt = 1000
    n_features: PositiveInt = 1000
    n_targets: PositiveInt = 1
    truth: Literal["sparse", "dense"] = "dense"
    n_nonzero: PositiveInt = 20
    noise: NonNegativeFloat = 0.1
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dtype: Literal["float32", "float64"] = "float64"

    def __post_init__(self):
        if self.truth == "sparse" and self.n_nonzero > self.n_features:
            raise ValueError(f"n_nonzero={self.n_nonzero} of n_features={self.n_features}; truth=dense has them all")

    def load(self, seed: int) -> Regression:
        """The data of one seed; the same whatever solver asks."""
        rng = np.random.default_rng([seed, 0])
        n, p = self.n_samples, self.n_features
        # Fortran order, the layout coordinate descent wants: every solver gets what its rivals like best.
        X = rng.standard_normal((p, n), dtype=self.dtype).T
        if self.correlation:
            innovation = np.sqrt(1 - self.correlation**2)
            for j in range(1, p):
                X[:, j] = self.correlation * X[:, j - 1] + innovation * X[:, j]
        W = rng.standard_normal((p, self.n_targets))
        if self.truth == "sparse":
            for column in W.T:
                column[rng.permutation(p)[self.n_nonzero :]] = 0.0
        Y = X @ W.astype(self.dtype) + self.noise * rng.standard_normal((n, self.n_targets))
        keys = {"truth": self.truth, "correlation": self.correlation}
        squeeze = (slice(None), 0) if self.n_targets == 1 else ...
        return Regression(X, Y[squeeze], W[squeeze], keys)
