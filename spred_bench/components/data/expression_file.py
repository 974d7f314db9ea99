"""Expression data from a file of the user's: a row for each sample, in any format of the folder `readers`."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from spred_bench.components.contract import component
from spred_bench.components.data.genes import Expression, of_table
from spred_bench.components.data.local_file import ReadFile
from spred_bench.components.data.readers import read


@component
class Source(ReadFile):
    """path: absolute, or relative to the working directory or to data_dir.

    label: array (.mat, .npz) or column that holds the labels; several names are several factors.
    x_key: array of the expression values, (n, d).  sample: array or column of sample names; null: numbered.
    An array `features` or `symbols` of a .npz names the features and their genes; in a table all remaining columns are
    features.  required: false skips the cells of a missing file instead of refusing to start.
    """

    path: Path
    label: str | list[str] = "Y"
    x_key: str = "X"
    sample: str | None = None
    required: bool = True
    data_dir: Path = Path("data")

    def load(self, seed: int) -> Expression:
        """The whole file, whatever the seed. Skip where it is missing and not required."""
        return super().load(seed)

    @cached_property
    def _data(self) -> Expression:
        path = self._existing()
        labels = [self.label] if isinstance(self.label, str) else self.label
        table = read(path, self.x_key, [*labels, *([] if self.sample is None else [self.sample])])
        return of_table(str(path), table, self.sample)

    def _facts(self) -> Mapping[str, str]:
        data = self._data
        facts = {"samples": str(len(data.X)), "features that vary": f"{data.X.shape[1]} ({_first(data.features)})"}
        for factor, labels in data.factors.items():
            classes = sorted(set(labels.tolist()) - {""})
            facts[f"classes of '{factor}'"] = f"{len(classes)} ({_first(classes)})"
        return facts


def _first(names) -> str:
    return ", ".join(map(str, names[:4])) + (", ..." if len(names) > 4 else "")
