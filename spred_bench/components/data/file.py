"""Regression data from a file of the user's: .npz, .mat, or svmlight text (.svm, .svmlight, .libsvm; also .gz)."""

from functools import cached_property
from pathlib import Path

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.local_file import LocalFile
from spred_bench.components.data.regression import Regression, checked
from spred_bench.errors import UserError

_SVMLIGHT = (".svm", ".svmlight", ".libsvm", ".txt")


@component
class Source(LocalFile):
    """path: absolute, or relative to the working directory or to data_dir.

    x_key, y_key: names of the arrays in .npz and .mat files.  standardise: centre columns and y, and scale columns to
    variance one; sparse X (svmlight) is only scaled, so that it stays sparse.  required: false skips the cells of a
    missing file instead of refusing to start.
    """

    path: Path
    x_key: str = "X"
    y_key: str = "y"
    standardise: bool = True
    required: bool = True
    data_dir: Path = Path("data")

    def load(self, seed: int) -> Regression:
        """The whole file, whatever the seed. Skip where it is missing and not required."""
        return super().load(seed)

    def _missing(self) -> str:
        return f"data.file.path={self.path}: no such file here nor in data_dir={self.data_dir}"

    @cached_property
    def _data(self) -> Regression:
        path = self._found
        if path is None:
            raise UserError(self._missing())
        try:
            X, Y = self._read(path)
        except UserError:
            raise
        except Exception as error:  # every reader has its own ways to fail on a foreign or cut file
            raise UserError(f"data.file.path={path}: cannot be read ({type(error).__name__}: {error})") from None
        data = checked(str(path), X, Y)
        return _standardised(data) if self.standardise else data

    def _read(self, path: Path):
        suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".bz2")]
        kind = suffixes[-1] if suffixes else ""
        if kind == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return self._pick(path, dict(arrays))
        if kind == ".mat":
            from scipy.io import loadmat

            X, Y = self._pick(path, loadmat(path))
            return X, np.squeeze(Y)
        if kind in _SVMLIGHT:
            from sklearn.datasets import load_svmlight_file

            return load_svmlight_file(str(path))
        raise UserError(f"data.file.path={path}: unknown kind '{kind}'; expected .npz, .mat, or {', '.join(_SVMLIGHT)}")

    def _pick(self, path: Path, arrays: dict):
        for parameter, key in (("x_key", self.x_key), ("y_key", self.y_key)):
            if key not in arrays:
                names = ", ".join(name for name in arrays if not name.startswith("__"))
                raise UserError(f"data.file.{parameter}={key}: {path} holds {names}")
        return arrays[self.x_key], arrays[self.y_key]


def _standardised(data: Regression) -> Regression:
    import scipy.sparse
    from sklearn.preprocessing import StandardScaler

    sparse = scipy.sparse.issparse(data.X)
    X = StandardScaler(with_mean=not sparse).fit_transform(data.X)
    return Regression(X if sparse else np.asfortranarray(X), data.Y - data.Y.mean(axis=0))
