"""NumPy's archives, .npz: named arrays, or a sparse X as SciPy saves it with the other arrays beside it."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from spred_bench.components.data.readers import Table, pick
from spred_bench.errors import UserError

SUFFIXES = (".npz",)
_SPARSE = {"format", "shape", "data"}  # what scipy.sparse.save_npz writes in every format


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """X under `x_key`, or the sparse matrix of the archive; names of features and genes where it has them."""
    if not is_zipfile(path):
        raise UserError(f"{path}: not a .npz file, or a damaged one")
    with np.load(path, allow_pickle=False) as arrays:
        sparse = x_key not in arrays and set(arrays) >= _SPARSE
        X = _sparse(path) if sparse else arrays[pick(path, "array", arrays, x_key)]
        chosen = {name: arrays[pick(path, "array", arrays, name)] for name in columns}
        names = {key: np.ravel(arrays[key]) for key in ("features", "symbols") if key in arrays}
        return Table(X, chosen, **names)


def _sparse(path: Path):
    import scipy.sparse

    return scipy.sparse.load_npz(path)
