"""Orthogonal design, X'X / n = I, where the lasso has a closed form (paper, section 4.1)."""

import numpy as np
from pydantic import NonNegativeFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression
from spred_bench.errors import UserError


@component
class Source(BaseSource):
    """X = sqrt(n) Q with orthonormal columns Q (of a Gaussian matrix); y = X w + noise * N(0, 1), w ~ N(0, 1) dense."""

    n_samples: PositiveInt = 100
    n_features: PositiveInt = 32
    noise: NonNegativeFloat = 0.1

    def check(self) -> None:
        """UserError where more columns are asked for than can be orthogonal."""
        if self.n_features > self.n_samples:
            raise UserError(
                f"data.orthogonal.n_features={self.n_features}: at most n_samples={self.n_samples} orthogonal columns"
            )

    def load(self, seed: int) -> Regression:
        """The data of one seed; the same whatever method asks."""
        self.check()
        rng = np.random.default_rng([seed, 0])
        Q, _ = np.linalg.qr(rng.standard_normal((self.n_samples, self.n_features)))
        X = np.sqrt(self.n_samples) * Q
        w = rng.standard_normal(self.n_features)
        y = X @ w + self.noise * rng.standard_normal(self.n_samples)
        return Regression(X, y, w, {"truth": "dense"})
