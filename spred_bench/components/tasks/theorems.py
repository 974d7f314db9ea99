"""The theorems, measured on small problems: equal minima (1), equal local minima (2), variations (3), groups (4).

Numbers are the final paper's; the submission's Theorem 3 is the final paper's Theorem 4.
"""

from typing import Annotated, ClassVar

import pandas as pd
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.tasks import BaseTask
from spred_bench.reporting.rows import Cell

_PROBLEMS = ("lasso", "lasso_unequal", "logistic", "group_lasso", "local_minima", "variations")


@component
class Task(BaseTask):
    """Every problem at every seed and strength.

    l1_strengths: 2 kappa of the problems; the top-level `kappa`, where given, replaces them.
    """

    l1_strengths: list[PositiveFloat] = Field(min_length=1)
    n_seeds: PositiveInt = 1
    kappa: Annotated[float, Field(gt=0)] | None = None
    seed: NonNegativeInt = 0

    key_columns: ClassVar = ("kappa", "l1_strength", "at", "variation")

    def cells(self) -> list[Cell]:
        """One per problem, strength and seed."""
        kappas = [strength / 2 for strength in self.l1_strengths] if self.kappa is None else [self.kappa]
        return [
            Cell(problem, "spred", seed, {"kappa": kappa})
            for problem in _PROBLEMS
            for kappa in kappas
            for seed in range(self.seed, self.seed + self.n_seeds)
        ]

    def run(self, cell: Cell):
        """What one problem showed."""
        from spred_bench.experiments import equivalence

        kappa = cell.keys["kappa"]
        if cell.dataset == "lasso_unequal":
            found = equivalence.lasso(cell.seed, kappa, unequal=True)
        else:
            found = getattr(equivalence, cell.dataset)(cell.seed, kappa)
        for metric, value, *keys in found:
            yield {"l1_strength": 2 * kappa, **(keys[0] if keys else {}), "metric": metric, "value": value}

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """The worst of each: largest differences, smallest shares."""
        rows = records[records["variation"].isna()]
        extremes = rows.groupby(["dataset", "metric"], sort=False)["value"].agg(["count", "min", "max"])
        return extremes.reset_index().rename(columns={"dataset": "problem", "count": "n"})
