"""MATLAB's .mat files, up to version 7."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spred_bench.components.data.readers import Table, pick
from spred_bench.errors import UserError

SUFFIXES = (".mat",)


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """X under `x_key`; the columns asked for without MATLAB's axes of length one, cells as what is in them."""
    from scipy.io import loadmat

    try:
        loaded = loadmat(path)
    except NotImplementedError:
        raise UserError(f"{path}: a .mat file of version 7.3; save it with -v7, or as .npz") from None
    arrays = {key: array for key, array in loaded.items() if not key.startswith("__")}
    X = arrays[pick(path, "array", arrays, x_key)]
    return Table(X, {name: _plain(path, name, arrays[pick(path, "array", arrays, name)]) for name in columns})


def _plain(path: Path, name: str, array) -> np.ndarray:
    """Cells (an array of arrays) as an array of their contents, one value each; an empty cell is an empty text."""
    array = np.squeeze(array)
    if array.dtype.kind != "O":
        return array
    cells = [np.ravel(cell) for cell in np.ravel(array)]
    wrong = next((i for i, cell in enumerate(cells, 1) if cell.size > 1), None)
    if wrong:
        raise UserError(f"{path}: cell {wrong} of '{name}' holds {cells[wrong - 1].size} values; expected one in each")
    return np.array([cell[0] if cell.size else "" for cell in cells])
