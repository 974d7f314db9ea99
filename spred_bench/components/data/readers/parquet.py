"""Parquet tables, where pyarrow is installed: a row for each sample, named columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spred_bench.components.data.readers import Table, pick
from spred_bench.errors import UserError

SUFFIXES = (".parquet",)


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """The columns asked for as they are, all others as numbers."""
    import pandas as pd

    try:
        table = pd.read_parquet(path, engine="pyarrow")
    except ImportError:
        raise UserError(f"{path}: Parquet needs pyarrow; pip install 'spred-bench[parquet]'") from None
    names = [str(name) for name in table.columns]
    for name in columns:
        pick(path, "column", names, name)
    if len(set(names)) < len(names):
        raise UserError(f"{path}: two columns have the same name")
    features = [name for name in names if name not in columns]
    wrong = [n for n in features if not pd.api.types.is_numeric_dtype(table[n]) or table[n].dtype.kind == "c"]
    if wrong:
        raise UserError(
            f"{path}: column '{wrong[0]}' is not numeric ({table[wrong[0]].dtype}); "
            "label= names labels, target= targets"
        )
    X = np.column_stack([table[name].to_numpy(np.float64, na_value=np.nan) for name in features])
    return Table(X, {name: _values(table[name]) for name in columns}, features)


def _values(column) -> np.ndarray:
    """Numbers as floats (missing: NaN), all else as text (missing: empty)."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and column.dtype.kind != "c":
        return column.to_numpy(np.float64, na_value=np.nan)
    return np.array(["" if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)])
