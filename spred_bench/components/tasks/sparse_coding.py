"""Sparse coding of natural images (paper, section 4.2, Fig. 3): dictionaries learned under one clock, judged by one
exact encoder on patches that nobody learned from.

kappa is Eq. (7)'s: |x - B s|^2 + 2 kappa |s|_1, so it is `alpha` where scikit-learn and SPAMS halve the square.
"""

import re
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check
from spred_bench.components.data.patches import Patches
from spred_bench.components.tasks import DataTask
from spred_bench.errors import UserError
from spred_bench.reporting.rows import Cell
from spred_bench.reporting.tables.learning_curves import PROBLEM, median_time, times_to_best_peer
from spred_bench.reporting.tables.terminal import mark_best


@component
class Task(DataTask):
    """Every learner on every set of patches, for every number of atoms and seed.

    kappas: strengths of Eq. (7); the top-level `kappa`, where given, replaces them.  time_limit_s: of learning, on the
    learner's own clock, evaluation left out.  time_limits_s: of single learners, by name, instead.  max_passes: over
    the patches, if that comes first.  gap: relative duality gap of the codes that the last dictionary is measured
    with.  keep_dictionaries: beside the rows, for the figure of the filters.
    """

    data: dict[str, Any]
    learner: dict[str, Any]
    n_atoms: list[PositiveInt] = Field(min_length=1)
    kappas: list[PositiveFloat] = Field(min_length=1)
    time_limit_s: PositiveFloat = 60.0
    time_limits_s: dict[str, PositiveFloat] = Field(default_factory=dict)
    max_passes: PositiveFloat | None = None
    n_seeds: PositiveInt = 1
    gap: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    keep_dictionaries: bool = True
    kappa: PositiveFloat | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = (
        *("data", "n_patches", "patch_side", "whitening", "n_atoms", "kappa", "l1_strength", "time_limit_s"),
        *("threshold", "file"),
    )

    def __post_init__(self):
        require_data(self.data, Patches)
        for name in self.time_limits_s:
            if name not in self.learner:
                raise UserError(f"task.time_limits_s.{name}: no such learner here; there are {', '.join(self.learner)}")
        self._loaded = {}

    def cells(self) -> list[Cell]:
        """One per data set, number of atoms, kappa, seed and learner; learners innermost, so that rivals run side by
        side."""
        for label, source in self.data.items():
            if max(self.n_atoms) > source.n_patches:
                raise UserError(
                    f"task.n_atoms={max(self.n_atoms)}: more atoms than data={label} has patches to learn from "
                    f"({source.n_patches})"
                )
        check(self.data.values())
        return [
            Cell(data.partition("[")[0], learner, seed, {"data": data, "n_atoms": n_atoms, "kappa": kappa})
            for data in self.data
            for n_atoms in self.n_atoms
            for kappa in ([self.kappa] if self.kappa is not None else self.kappas)
            for seed in range(self.seed, self.seed + self.n_seeds)
            for learner in self.learner
        ]

    def run(self, cell: Cell):
        """Learn the cell's dictionary, tell its curve and what the last dictionary is like, and keep that."""
        from spred_bench.sparse_coding import gabor, learning, measures  # loads torch: `list` and `--cfg` do without

        patches = self._load(cell.keys["data"])
        problem = learning.CodingProblem(
            patches.train, cell.keys["n_atoms"], cell.keys["kappa"], cell.seed, self.device
        )
        time_limit_s = self.time_limits_s.get(cell.method, self.time_limit_s)
        learned = learning.learn(self.learner[cell.method], problem, patches.held_out, time_limit_s, self.max_passes)
        keys = {
            "n_patches": len(patches.train),
            "patch_side": patches.side,
            "whitening": patches.whitening.description,
            "l1_strength": 2 * problem.kappa,
            "time_limit_s": time_limit_s,
            "split": "held_out",
            "status": learned.status,
        }
        for point in learned.trace:
            at = {**keys, "step": point.n_seen, "time_s": point.time_s}
            yield {**at, "metric": "objective", "value": point.objective}
            yield {**at, "metric": "active_codes", "value": point.active_codes}
        rows, usage = measures.measure_codes(patches.held_out, learned.dictionary, problem.kappa, self.gap)
        fits = gabor.fit_gabors(learned.dictionary)
        rows += measures.measure_atoms(fits, usage > 0)
        end = {**keys, "step": learned.trace[-1].n_seen, "time_s": learned.trace[-1].time_s}
        for row in rows:
            yield {**end, **row}
        yield {**end, "metric": "added_memory_bytes", "value": learned.added_bytes}
        skipped = ", ".join(patches.skipped)
        yield {**end, "metric": "skipped_images", "value": len(patches.skipped), "note": skipped}
        yield {**end, "metric": "constant_patches", "value": patches.n_constant}
        if self.keep_dictionaries and self.run_folder is not None:
            path = self.run_folder / "dictionaries" / (re.sub(r"[^\w=.-]+", "_", cell.id) + ".npz")
            measures.save_dictionary(path, learned.dictionary, usage, fits)
            name = path.relative_to(self.run_folder.parent).as_posix()
            yield {**end, "metric": "dictionary_atoms", "value": learned.dictionary.shape[1], "file": name}

    def _load(self, label: str) -> Patches:
        """The patches of a data set, kept for its neighbours; the same for every seed of the learners."""
        if label not in self._loaded:
            self._loaded.clear()  # let go of the old ones before new ones are cut
            self._loaded[label] = self.data[label].load(self.seed)
        return self._loaded[label]

    def summary(self, records: pd.DataFrame) -> pd.DataFrame:
        """Medians over seeds; time to the best peer's last objective (blank: half of them missed it)."""
        ends = ["final_objective", "final_active_codes", "alive_rate", "gabor_rate"]
        rows = records[records["metric"].isin(ends)]
        table = rows.pivot_table(
            index=[*PROBLEM, "method"], columns="metric", values="value", aggfunc="median", sort=False
        )
        reached = times_to_best_peer(records).groupby([*PROBLEM, "method"], sort=False)["time_s"].agg(median_time)
        table = table.reindex(columns=ends).assign(**{"s to best peer": reached})
        skipped = records[records["status"].isin(["skipped", "failed"])]
        whole = pd.concat([table.reset_index(), skipped[["data", "n_atoms", "kappa", "method", "note"]]]).rename(
            columns={
                "final_objective": "objective",
                "final_active_codes": "active codes",
                "alive_rate": "alive",
                "gabor_rate": "Gabor-like",
            }
        )
        return mark_best(whole, "objective", PROBLEM)
