"""The landscape of one weight (paper, Fig. 1): the L1 loss and its redundant counterpart, with their minima.

    L(w)    = (w - c)^2 + 2 kappa |w|                          "l1"          left panel
    L(u, v) = (u v - c)^2 + kappa (u^2 + v^2)                  "redundant"   mid and right panels

Fig. 1 has 2 kappa = 1. By Theorem 1 the minima of the second are those of the first, at u = +-v: two mirrored points
where |c| > kappa, the origin alone otherwise. The figure's c = 0.5 lies exactly between, at |c| = kappa.
"""

from typing import Annotated, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat

from spred_bench.components.contract import component
from spred_bench.components.tasks import BaseTask
from spred_bench.lasso import soft_threshold
from spred_bench.reporting.rows import Cell

_FIGURE_KAPPA = 0.5


@component
class Task(BaseTask):
    """Both losses on a grid, and their minima in closed form, for every centre.

    centres: c, where the loss without penalty is least.  extent: u and v run over [-extent, extent].
    n_points: of w.  n_grid: of u and of v.  kappa: Eq. (3)'s; null is the figure's 0.5.
    """

    centres: list[float] = Field(min_length=1)
    extent: PositiveFloat = 2.0
    n_points: Annotated[int, Field(ge=3)] = 401
    n_grid: Annotated[int, Field(ge=3)] = 81
    kappa: Annotated[float, Field(ge=0)] | None = None

    key_columns: ClassVar = ("c", "kappa", "l1_strength", "w", "u", "v")

    def __post_init__(self):
        if self.kappa is None:
            self.kappa = _FIGURE_KAPPA

    def cells(self) -> list[Cell]:
        """One per centre and loss."""
        return [Cell(method=method, keys={"c": c}) for c in self.centres for method in ("l1", "redundant")]

    def run(self, cell: Cell):
        """The loss on its grid (metric `loss`), then its minima (metric `minimum`, the value being the loss there)."""
        c, keys = cell.keys["c"], {"kappa": self.kappa, "l1_strength": 2 * self.kappa}
        if cell.method == "l1":
            grid = [{"w": w} for w in np.linspace(-self.extent, self.extent, self.n_points).tolist()]
            minima, loss = l1_minima(c, self.kappa), l1_loss
        else:
            axis = np.linspace(-self.extent, self.extent, self.n_grid).tolist()
            grid = [{"u": u, "v": v} for v in axis for u in axis]
            minima, loss = redundant_minima(c, self.kappa), redundant_loss
        for metric, points in (("loss", grid), ("minimum", minima)):
            for point in points:
                w = {"w": point.get("u", 0.0) * point.get("v", 0.0), **point}
                yield {**keys, **w, "metric": metric, "value": float(loss(**point, c=c, kappa=self.kappa))}

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """The minima: of the redundant loss as many as two, mirrored, with the value of the L1 loss's own."""
        columns = ["c", "method", "kappa", "w", "u", "v", "value"]
        return records.loc[records["metric"] == "minimum", columns].rename(columns={"value": "loss"})


def l1_loss(w, c, kappa):
    """(w - c)^2 + 2 kappa |w|."""
    return (w - c) ** 2 + 2 * kappa * np.abs(w)


def redundant_loss(u, v, c, kappa):
    """(u v - c)^2 + kappa (u^2 + v^2), Eq. (3) for one weight."""
    return (u * v - c) ** 2 + kappa * (u**2 + v**2)


def l1_minima(c: float, kappa: float) -> list[dict]:
    """The one minimum: c soft-thresholded at kappa, half the strength because the square has no 1/2."""
    return [{"w": float(soft_threshold(c, kappa))}]


def redundant_minima(c: float, kappa: float) -> list[dict]:
    """|u| = |v| = sqrt(|w|), u v = w at the minimum w of the L1 loss: two mirrored points, or the origin if w = 0."""
    w = l1_minima(c, kappa)[0]["w"]
    size = abs(w) ** 0.5
    return [{"u": u, "v": float(np.copysign(u, u * w))} for u in ((size, -size) if w else (0.0,))]
