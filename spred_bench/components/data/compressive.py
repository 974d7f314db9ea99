"""Compressive sensing as in the authors' notebook: few wide measurements of a signal that is one tenth nonzero."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression


@component
class Source(BaseSource):
    """X: (n, p) entries N(0, 1/p); W ~ N(0, 1) on a share `density` of the features; Y = X W, without noise."""

    n_samples: PositiveInt = 100
    n_features: PositiveInt = 40_000
    density: Annotated[float, Field(gt=0, le=1)] = 0.1
    dtype: Literal["float32", "float64"] = "float64"

    def load(self, seed: int) -> Regression:
        """The data of one seed."""
        rng = np.random.default_rng([seed, 1])
        p = self.n_features
        X = rng.standard_normal((p, self.n_samples), dtype=self.dtype).T / np.sqrt(p).astype(self.dtype)
        w = rng.standard_normal(p) * (rng.random(p) < self.density)
        return Regression(X, X @ w.astype(self.dtype), w, {"truth": "compressive"})
