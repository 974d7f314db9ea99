"""What every source of gene expression returns, and the checks and counts all of them pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spred_bench.components.data.readers import Table, real
from spred_bench.errors import UserError
from spred_bench.reporting.rows import LIST_END


@dataclass(frozen=True)
class Expression:
    """Expression of d features (probes) in n samples, and what is known of the samples.

    X: (n, d) float32, NaN where a value is missing.  features, symbols: (d,) names of probes and of their genes.
    samples: (n,) distinct names.  factors: {factor type: (n,) labels, "" where a sample has none}.
    planted: indices of the features that differ between classes, where they are known (simulated data).
    n_constant, n_missing: features left out because they never vary, or are NaN in every sample.
    """

    X: np.ndarray
    features: np.ndarray
    symbols: np.ndarray
    samples: np.ndarray
    factors: Mapping[str, np.ndarray]
    planted: np.ndarray | None = None
    n_constant: int = 0
    n_missing: int = 0


def checked(name: str, X, samples: Sequence, factors: Mapping, features=None, symbols=None, planted=None) -> Expression:
    """An Expression without its constant and its empty features, or UserError naming what is wrong with the arrays.

    name: of the file or data set, for the messages.  features: x1, x2, ... where there are no names.
    symbols: the features' names where there are none.  A ";" in a name of either becomes ",": it separates names in the
    records. Labels are kept as they are.
    """
    X = _numeric(name, X)
    n, d = X.shape
    features = _listed([f"x{j}" for j in range(1, d + 1)] if features is None else features)
    symbols = features if symbols is None else _listed(symbols)
    samples = _names(samples)
    factors = {str(factor): _names(labels) for factor, labels in factors.items()}
    for label, names, size in (("feature names", features, d), ("gene symbols", symbols, d), ("samples", samples, n)):
        if len(names) != size:
            raise UserError(f"{name}: X has shape {X.shape}, but there are {len(names)} {label}")
    for factor, labels in factors.items():
        if len(labels) != n:
            raise UserError(f"{name}: {n} samples, but {len(labels)} labels of '{factor}'")
    if not any(labels.astype(bool).any() for labels in factors.values()):
        raise UserError(f"{name}: no sample has a label")
    seen, counts = np.unique(samples, return_counts=True)
    if counts.max() > 1:
        raise UserError(f"{name}: sample {seen[counts.argmax()]} stands {counts.max()} times; sample names must differ")
    return _without_useless(name, Expression(X, features, symbols, samples, factors, planted))


def of_table(name: str, table: Table, sample: str | None = None) -> Expression:
    """The Expression in a table that was read; `sample` is the column of sample names, if there is one."""
    import scipy.sparse

    if scipy.sparse.issparse(table.X):
        raise UserError(f"{name}: X is sparse; expression values are dense, save X.toarray()")
    columns = {key: _labels(values) for key, values in table.columns.items()}
    samples = columns.pop(sample) if sample in columns else table.samples
    n = len(table.X) if np.ndim(table.X) else 0
    samples = range(1, n + 1) if samples is None else samples
    return checked(name, table.X, samples, columns, table.features, table.symbols)


def _labels(values) -> list[str]:
    """Labels as text; whole numbers without their '.0'; missing ones empty."""
    values = np.ravel(values)
    if values.dtype.kind == "f":
        return ["" if np.isnan(value) else f"{value:g}" for value in values]
    return [str(value) for value in values]


def _numeric(name: str, X) -> np.ndarray:
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape:
        raise UserError(f"{name}: X has shape {X.shape}; expected (samples, features)")
    n_infinite = int(np.isinf(X).sum()) if X.dtype.kind == "f" else 0
    if n_infinite:
        raise UserError(f"{name}: {n_infinite} expression values are infinite; leave missing values empty (NaN)")
    X = real(name, "X", X)
    if X.dtype != np.float32 and np.abs(X).max(initial=0, where=~np.isnan(X)) > np.finfo(np.float32).max:
        raise UserError(f"{name}: X holds values beyond float32; take logarithms, or rescale it")
    return X.astype(np.float32, copy=False)


def _names(values) -> np.ndarray:
    return np.asarray(["" if value is None else str(value).strip() for value in values], dtype=np.str_)


def _listed(values) -> np.ndarray:
    """Names that the records list in one field: without what separates them there."""
    return np.char.replace(_names(values), LIST_END, ",")


def _without_useless(name: str, data: Expression) -> Expression:
    """Features that are NaN in every sample, or the same in all, tell nothing about any label: counted, left out."""
    known = ~np.isnan(data.X)
    low = np.where(known, data.X, np.inf).min(axis=0)
    high = np.where(known, data.X, -np.inf).max(axis=0)
    missing, constant = low > high, low == high
    kept = low < high
    if not kept.any():
        raise UserError(f"{name}: none of the {len(kept)} features varies ({int(missing.sum())} have no value at all)")
    planted = data.planted
    if planted is not None:
        planted = np.searchsorted(np.flatnonzero(kept), planted[kept[planted]])
    return Expression(
        np.ascontiguousarray(data.X[:, kept]),
        data.features[kept],
        data.symbols[kept],
        data.samples,
        data.factors,
        planted,
        int(constant.sum()),
        int(missing.sum()),
    )
