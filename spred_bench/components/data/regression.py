"""What every regression source returns, and the checks all of them pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spred_bench.components.data.readers import real
from spred_bench.errors import UserError


@dataclass(frozen=True)
class Regression:
    """X: (n, p) array or sparse matrix.  Y: (n,) or (n, m).  truth: coefficients behind Y, where they are known.

    `keys` are columns of the record that describe the data (truth=dense, correlation=0.6, ...).
    """

    X: np.ndarray
    Y: np.ndarray
    truth: np.ndarray | None = None
    keys: Mapping = field(default_factory=dict)


def checked(name: str, X, Y) -> Regression:
    """A Regression of float arrays, or UserError naming what is wrong with them."""
    import scipy.sparse

    if scipy.sparse.issparse(X):
        X = scipy.sparse.csc_matrix(X)
        values = real(name, "X", X.data)
        X = X.astype(np.float64)
    else:
        X = values = real(name, "X", X)
    Y = real(name, "y", Y)
    if X.ndim != 2 or Y.ndim not in (1, 2) or len(Y) != X.shape[0] or 0 in X.shape:
        raise UserError(f"{name}: X has shape {X.shape}, y {Y.shape}; expected (n, p) and (n,) or (n, m)")
    for label, array in (("X", values), ("y", Y)):
        bad = int(np.size(array) - np.isfinite(array).sum())
        if bad:
            raise UserError(f"{name}: {label} has {bad} entries that are NaN or infinite; impute or remove them first")
    return Regression(X, Y[:, 0] if Y.ndim == 2 and Y.shape[1] == 1 else Y)
