"""spred with the linear model f_l of Eq. (8): a whole path over kappa, each point solved to its optimality conditions.

How: `spred_bench.lasso.second_order.feature_path`. On numpy, whatever the device: a point takes one pass over X and
milliseconds on a few dozen features.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.lasso.second_order.feature_path import FeaturePath

_LARGEST_RATIO = 0.95  # at 1 nothing is selected


@component
class Selector(BaseSelector):
    """kappa: `n_points` from just below the smallest that selects nothing to `smallest_ratio` times it.

    depth: factors of a weight; 3 is not convex, and starts from the solution of 2.  intercept: the paper has none.
    """

    n_points: PositiveInt = 12
    smallest_ratio: Annotated[float, Field(gt=0, le=_LARGEST_RATIO)] = 0.01
    depth: Literal[2, 3] = 2
    intercept: bool = False

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per kappa, from the strongest on; nothing is random."""
        path = FeaturePath(split.X_train, split.y_train, n_classes, depth=self.depth, intercept=self.intercept)
        kappas = (path.kappa_max or 1.0) * np.geomspace(_LARGEST_RATIO, self.smallest_ratio, self.n_points)
        points = [path.at(kappa) for kappa in kappas.tolist()]
        return [scored({"kappa": point.kappa}, point.features, point.decide, split) for point in points]
