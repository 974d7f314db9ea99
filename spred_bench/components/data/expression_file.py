"""Expression data from a file: .mat, .npz, a table (.csv, .tsv) with a label column, or a GEO DataSet (.soft).

Tables have a row for each sample; .csv, .tsv and .soft may be packed (.gz).
"""

from functools import cached_property
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.genes import Expression, checked
from spred_bench.components.data.local_file import LocalFile
from spred_bench.errors import UserError


@component
class Source(LocalFile):
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

    def _missing(self) -> str:
        return f"{self.path}: no such file here nor in data_dir={self.data_dir}"

    @cached_property
    def _data(self) -> Expression:
        path = self._found
        if path is None:
            raise UserError(self._missing())
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        readers = {".mat": self._mat, ".npz": self._npz, ".csv": self._table, ".tsv": self._table, ".soft": _soft}
        reader = readers.get(suffixes[-1] if suffixes else "")
        if reader is None:
            raise UserError(f"{path}: unknown kind of file; expected {', '.join(readers)}")
        try:
            return reader(path)
        except UserError:
            raise
        except Exception as error:  # every reader has its own ways to fail on a foreign or cut file
            reason = str(error).splitlines()[0] if str(error) else ""
            raise UserError(f"{path}: cannot be read ({type(error).__name__}: {reason})") from None

    def _mat(self, path: Path) -> Expression:
        from scipy.io import loadmat

        return self._from_arrays(path, {key: a for key, a in loadmat(path).items() if not key.startswith("__")})

    def _npz(self, path: Path) -> Expression:
        if not is_zipfile(path):
            raise UserError(f"{path}: not a .npz file, or a damaged one")
        with np.load(path, allow_pickle=False) as arrays:
            return self._from_arrays(path, dict(arrays))

    def _from_arrays(self, path: Path, arrays: dict) -> Expression:
        X = self._pick(path, "array", arrays, self.x_key)
        factors = {label: _plain(self._pick(path, "array", arrays, label)) for label in self._labels}
        samples = range(1, len(X) + 1) if self.sample is None else self._pick(path, "array", arrays, self.sample)
        names = {key: np.ravel(arrays[key]) for key in ("features", "symbols") if key in arrays}
        return checked(str(path), X, np.ravel(samples), factors, **names)

    def _table(self, path: Path) -> Expression:
        import pandas as pd

        separator = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes] else ","
        text = {name: str for name in [*self._labels, *filter(None, [self.sample])]}
        table = pd.read_csv(path, sep=separator, dtype=text, low_memory=False)
        if table.empty:
            raise UserError(f"{path}: a line of names, but no sample")
        factors = {label: self._pick(path, "column", table, label).fillna("") for label in self._labels}
        samples = range(1, len(table) + 1) if self.sample is None else self._pick(path, "column", table, self.sample)
        values = table.drop(columns=list(text))
        words = [name for name in values if not pd.api.types.is_numeric_dtype(values[name])]
        if words:
            raise UserError(f"{path}: column '{words[0]}' is not numeric; label= names labels, sample= sample names")
        return checked(str(path), values.to_numpy(np.float32), samples, factors, list(values))

    @property
    def _labels(self) -> list[str]:
        return [self.label] if isinstance(self.label, str) else self.label

    def _pick(self, path: Path, kind: str, holder, name: str):
        if name not in holder:
            there = [str(key) for key in holder]
            shown = ", ".join(there[:8]) + (f", ... ({len(there)} in all)" if len(there) > 8 else "")
            raise UserError(f"{path}: no {kind} '{name}'; it holds {shown or 'nothing'}")
        return holder[name]


def _soft(path: Path) -> Expression:
    from spred_bench.components.data.soft import read_gds

    return read_gds(path)


def _plain(labels) -> list[str]:
    """Labels as text; whole numbers without their '.0'; missing ones empty."""
    labels = np.ravel(labels)
    if labels.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:g}" for value in labels]
    return [str(value) for value in labels]
