"""Regression data from a file, in any format of the folder `readers`: tables, .npz, .mat, svmlight."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.local_file import ReadFile
from spred_bench.components.data.readers import Table, read
from spred_bench.components.data.regression import Regression, checked
from spred_bench.errors import UserError


@component
class Source(ReadFile):
    """path: absolute, or relative to the working directory or to data_dir.

    target: the column or columns of a table (.csv, .tsv, .parquet) to be predicted; all others are features.
    x_key, y_key: names of the arrays in .npz and .mat files.  standardise: centre columns and y, and scale columns to
    variance one; sparse X (svmlight, SciPy's .npz) is only scaled, so that it stays sparse.  required: false skips the
    cells of a missing file instead of refusing to start.
    """

    path: Path
    target: str | list[str] | None = None
    x_key: str = "X"
    y_key: str = "y"
    standardise: bool = True
    required: bool = True
    data_dir: Path = Path("data")

    def load(self, seed: int) -> Regression:
        """The whole file, whatever the seed. Skip where it is missing and not required."""
        return super().load(seed)

    @cached_property
    def _table(self) -> Table:
        wanted = self.y_key if self.target is None else self.target
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if not wanted:
            raise UserError(f"data.file.target=[]: {self.path}: expected the name of a column, or several")
        try:
            return read(self._existing(), self.x_key, wanted)
        except UserError as error:
            hint = "; data.file.target=... names the column of y" if ": no column" in str(error) else ""
            raise UserError(f"{error}{hint}") from None

    @cached_property
    def _data(self) -> Regression:
        path, table = self._existing(), self._table
        Y = [_numbers(str(path), name, values) for name, values in table.columns.items()]
        data = checked(str(path), table.X, Y[0] if len(Y) == 1 else np.column_stack(Y))
        return _standardised(data) if self.standardise else data

    def _facts(self) -> Mapping[str, str]:
        X, names = self._data.X, self._table.features
        shown = "" if names is None else f" ({', '.join(map(str, names[:4]))}{', ...' if len(names) > 4 else ''})"
        return {"rows": str(X.shape[0]), "features": f"{X.shape[1]}{shown}", "target": ", ".join(self._table.columns)}


def _numbers(path: str, name: str, values):
    """A column of a table as numbers: text is what the file holds, and no number is guessed from a word."""
    if isinstance(values, list):
        try:
            return np.array([float(value) if value else np.nan for value in values])
        except ValueError as error:
            raise UserError(f"{path}: y is not numeric: column '{name}', {error}") from None
    return values


def _standardised(data: Regression) -> Regression:
    import scipy.sparse
    from sklearn.preprocessing import StandardScaler

    sparse = scipy.sparse.issparse(data.X)
    X = StandardScaler(with_mean=not sparse).fit_transform(data.X)
    return Regression(X if sparse else np.asfortranarray(X), data.Y - data.Y.mean(axis=0))
