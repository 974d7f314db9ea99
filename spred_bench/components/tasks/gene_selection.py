"""Gene selection (paper, section 4.3, Tables 1 and 2): selectors on expression data, under the paper's protocol or a
clean one, over many random samplings.

The point of a selector's grid or path is chosen by the dev part: accuracy, then cross entropy, then fewest features.
The test part is read once, by the chosen point.
"""

import itertools
import json
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import NonNegativeInt, PositiveInt

from spred_bench.components.contract import component, require_data
from spred_bench.components.data import check, names, provenance
from spred_bench.components.data.genes import Expression
from spred_bench.components.tasks import DataTask
from spred_bench.errors import Skip, UserError
from spred_bench.reporting.rows import LIST_END, Cell
from spred_bench.reporting.tables import gene_tables
from spred_bench.system.stopwatch import Stopwatch

# Names kept of a selection: all of them, but of what is too long to be one only the most important.
_LONGEST_LIST, _SHORTENED_LIST = 500, 50
_N_CURVE_POINTS = 20
# Samplings prepared, and where a selector can trained, at a time: as many as hold this much.
_MEMORY_BYTES = 1 << 30


@component
class Task(DataTask):
    """Every selector on every data set under every protocol; a cell is one of `n_samplings` random divisions.

    A further cell per data set and protocol, without a selector, describes the data (Table 2).
    """

    data: dict[str, Any]
    protocol: dict[str, Any]
    selector: dict[str, Any]
    n_samplings: PositiveInt = 20
    seed: NonNegativeInt = 0
    device: str = "cpu"

    key_columns: ClassVar = (
        *("protocol", "factor", "label", "n_samples", "n_features", "n_classes"),
        *("point", "n_selected", "settings", "kappa", "l1_strength", "features", "symbols"),
    )

    def __post_init__(self):
        require_data(self.data, Expression)
        self._sources = {names(self.data)[label]: source for label, source in self.data.items()}
        if any(one == other for one, other in itertools.combinations(self.data.values(), 2)):
            raise ValueError("the same data set is asked for twice")
        self._read, self._labelled = {}, {}
        self._samplings, self._selected = ((), {}), ((), {})

    def cells(self) -> list[Cell]:
        """Per data set and protocol: its description, then every selector on every sampling."""
        check(self._sources.values())
        self._require_known_names()
        found = []
        for dataset in self._sources:
            for protocol in self.protocol:
                keys = {"protocol": protocol}
                found.append(Cell(dataset, keys=keys))
                try:
                    batches = self._batches(dataset, protocol)
                except Skip:
                    continue  # the one cell will say it
                except UserError as error:
                    raise UserError(f"{dataset}, protocol={protocol}: {error}") from None
                for seeds in batches:
                    found += [Cell(dataset, selector, seed, keys) for selector in self.selector for seed in seeds]
        return found

    def provenance(self) -> dict:
        """Checksums of the data files, under the names that the tables have."""
        return provenance(self._sources)

    def run(self, cell: Cell):
        """Describe the data, or select on one sampling, choose by dev, and measure on test."""
        protocol = cell.keys["protocol"]
        data, labelled = self._pairs(cell.dataset, protocol)
        keys = {
            "factor": labelled.factor,
            "n_samples": len(labelled.y),
            "n_features": data.X.shape[1],
            "n_classes": len(labelled.classes),
        }
        rows = self._describe(data, labelled) if not cell.method else self._measure(cell, data)
        for row in rows:
            yield {**keys, **row}

    def _describe(self, data: Expression, labelled):
        from spred_bench.components.protocols import ceiling, majority_rate

        yield {"metric": "n_samples", "value": len(data.samples)}
        yield {"metric": "n_pairs", "value": len(labelled.y)}
        yield {"metric": "n_constant_features", "value": data.n_constant}
        yield {"metric": "n_empty_features", "value": data.n_missing}
        yield {"metric": "n_missing_values", "value": int(np.isnan(data.X).sum())}
        for factor, labels in data.factors.items():
            yield {"metric": "n_labels", "value": len(set(labels) - {""}), "factor": factor}
        for name, count in zip(labelled.classes, np.bincount(labelled.y), strict=True):
            yield {"metric": "class_count", "value": int(count), "label": name}
        yield {"metric": "majority_rate", "value": majority_rate(labelled)}
        yield {"metric": "ceiling", "value": ceiling(labelled)}

    def _measure(self, cell: Cell, data: Expression):
        selections, fit_s, together = self._select(cell)
        sampling = self._prepared(cell)[cell.seed]
        for point, selection in enumerate(selections):
            at = {"point": point, "n_selected": len(selection.features), **_at(selection)}
            yield {**at, "metric": "path_accuracy", "split": "dev", "value": selection.dev_accuracy}
            yield {**at, "metric": "path_loss", "split": "dev", "value": selection.dev_loss}
        chosen = choose(selections)
        end = {**_at(chosen), "time_s": fit_s}
        for step, loss, accuracy in chosen.curve[:: -(-len(chosen.curve) // _N_CURVE_POINTS) or 1]:
            yield {**end, "time_s": None, "step": step, "metric": "curve_loss", "split": "train", "value": loss}
            yield {**end, "time_s": None, "step": step, "metric": "curve_accuracy", "split": "dev", "value": accuracy}
        yield {**end, "metric": "accuracy", "split": "dev", "value": chosen.dev_accuracy}
        correct = chosen.predict(sampling.X_test) == sampling.y_test
        yield {**end, "metric": "accuracy", "split": "test", "value": float(np.mean(correct))}
        yield {**end, "metric": "n_selected", "value": len(chosen.features), **_names(data, chosen.features)}
        if data.planted is not None:
            hits = len(set(data.planted) & set(chosen.features))
            for metric, size in (("planted_precision", len(chosen.features)), ("planted_recall", len(data.planted))):
                yield {**end, "metric": metric, "value": hits / size if size else None}
        for metric, value in (
            ("fit_s", fit_s),
            ("trained_together", together),
            ("n_points", len(selections)),
            ("n_imputed", sampling.n_imputed),
            ("log_transform", int(sampling.log)),
        ):
            yield {**end, "metric": metric, "value": value}

    def _select(self, cell: Cell):
        """(selections, seconds of one sampling, samplings trained together); kept for the neighbours of the batch."""
        selector = self.selector[cell.method]
        selector.check()
        samplings = self._prepared(cell)
        n_classes = len(self._pairs(cell.dataset, cell.keys["protocol"])[1].classes)
        if not selector.trains_together:
            with Stopwatch(self.device) as watch:
                found = selector.select(samplings[cell.seed].split, n_classes, cell.seed, self.device)
            return found, watch.elapsed_s, 1
        key = (cell.dataset, cell.method, cell.keys["protocol"], *samplings)
        if self._selected[0] != key:
            splits = [sampling.split for sampling in samplings.values()]
            with Stopwatch(self.device) as watch:
                found = selector.select_many(splits, n_classes, list(samplings), self.device)
            fit_s = watch.elapsed_s / len(samplings)
            self._selected = (key, {seed: (one, fit_s) for seed, one in zip(samplings, found, strict=True)})
        return *self._selected[1][cell.seed], len(samplings)

    def _prepared(self, cell: Cell) -> dict:
        """{seed: sampling} of the batch that a cell belongs to, kept for its neighbours."""
        protocol = cell.keys["protocol"]
        seeds = next(batch for batch in self._batches(cell.dataset, protocol) if cell.seed in batch)
        key = (cell.dataset, protocol, *seeds)
        if self._samplings[0] != key:
            self._samplings = ((), {})  # let go of the old before making the new
            data, labelled = self._pairs(cell.dataset, protocol)
            sample = self.protocol[protocol].sample
            self._samplings = (key, {seed: sample(data, labelled, seed) for seed in seeds})
        return self._samplings[1]

    def _batches(self, dataset: str, protocol: str) -> list[range]:
        """Seeds of the samplings that are prepared together: a matter of the data's size alone."""
        first, last = self.seed, self.seed + self.n_samplings
        data, labelled = self._pairs(dataset, protocol)
        size = max(_MEMORY_BYTES // (4 * len(labelled.y) * data.X.shape[1]), 1)
        return [range(i, min(i + size, last)) for i in range(first, last, size)]

    def _require_known_names(self) -> None:
        """UserError where a protocol names a factor or a class that no data set has."""
        found = []
        for dataset in self._sources:
            with suppress(Skip):  # the cell that describes it will say it
                found.append(self._data(dataset))
        for protocol in self.protocol.values():
            if found:
                protocol.check(found)

    def _data(self, dataset: str) -> Expression:
        """Read once. Skip where the file is missing and not required."""
        if dataset not in self._read:
            self._read[dataset] = self._sources[dataset].load(self.seed)
        return self._read[dataset]

    def _pairs(self, dataset: str, protocol: str):
        """(data, labelled). Skip where the file is missing and not required."""
        data = self._data(dataset)
        if (dataset, protocol) not in self._labelled:
            self._labelled[dataset, protocol] = self.protocol[protocol].label(data)
        return data, self._labelled[dataset, protocol]

    def summary(self, records: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Tables 1 and 2."""
        tables = {"table1": gene_tables.accuracy_table(records), "table2": gene_tables.data_table(records)}
        return {name: table for name, table in tables.items() if len(table)}

    def files(self, records: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """Both tables, and the genes by how often they were selected."""
        return {**self.summary(records), "genes": gene_tables.gene_table(records)}


def choose(selections: list):
    """The selection of the best dev accuracy; of equal ones the least dev loss, then fewest features, then the first.

    A dev part of 14 samples knows 15 accuracies. What it cannot tell apart by them, a proper score still can.
    """
    return min(selections, key=lambda chosen: (-chosen.dev_accuracy, chosen.dev_loss, len(chosen.features)))


def _at(selection) -> dict:
    """What was tuned, as columns."""
    at = {"settings": json.dumps(selection.settings)}
    kappa = selection.settings.get("kappa")
    return at if kappa is None else {**at, "kappa": kappa, "l1_strength": 2 * kappa}


def _names(data: Expression, features: np.ndarray) -> dict:
    """Names of the features, and of their genes where those differ."""
    listed = features if len(features) <= _LONGEST_LIST else features[:_SHORTENED_LIST]
    probes, symbols = (
        "".join(f"{name}{LIST_END}" for name in names[listed]) for names in (data.features, data.symbols)
    )
    return {"features": probes, "symbols": "" if symbols == probes else symbols}
