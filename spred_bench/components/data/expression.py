"""Simulated expression data with planted genes, for first use, for tests and for timing at any size; no download."""

from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.genes import Expression, checked
from spred_bench.errors import UserError


@component
class Source(BaseSource):
    """log2 expression X_ij = 8 + z_ij, and for planted genes + effect * m_cj with class means m ~ N(0, 1), centred.

    z has variance one; genes of a module of `module_size` neighbours share a factor, so that two of them correlate by
    `correlation`.  Classes are of equal size, up to one.  effect = 0 or n_informative = 0: no signal at all.
    """

    n_samples: PositiveInt = 100
    n_features: PositiveInt = 2000
    n_classes: Annotated[int, Field(ge=2)] = 3
    n_informative: NonNegativeInt = 20
    effect: NonNegativeFloat = 1.5
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.3
    module_size: PositiveInt = 20

    def __post_init__(self):
        if self.n_informative > self.n_features:
            raise ValueError(f"n_informative={self.n_informative} of n_features={self.n_features}")

    def load(self, seed: int) -> Expression:
        """The data of one seed."""
        rng = np.random.default_rng([seed, 3])
        n, d = self.n_samples, self.n_features
        if n < self.n_classes:
            raise UserError(f"data.expression.n_samples={n}: expected at least one sample of each of the classes")
        y = rng.permutation(np.arange(n) % self.n_classes)
        X = rng.standard_normal((n, d), dtype=np.float32)
        if self.correlation:
            shared = rng.standard_normal((n, -(-d // self.module_size)), dtype=np.float32)
            X *= np.float32(np.sqrt(1 - self.correlation))
            X += np.float32(np.sqrt(self.correlation)) * np.repeat(shared, self.module_size, axis=1)[:, :d]
        planted = np.sort(rng.choice(d, self.n_informative, replace=False))
        means = rng.standard_normal((self.n_classes, self.n_informative))
        X[:, planted] += (self.effect * (means - means.mean(axis=0)))[y].astype(np.float32)
        X += 8
        labels = [f"class {label + 1}" for label in y]
        features = [f"gene{j}" for j in range(1, d + 1)]
        return checked("expression", X, range(1, n + 1), {"class": labels}, features, planted=planted)
