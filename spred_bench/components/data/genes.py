"""What every source of gene expression returns, and the checks and counts all of them pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
    symbols: the features' names where there are none.
    """
    X = _numeric(name, X)
    n, d = X.shape
    features = _names([f"x{j}" for j in range(1, d + 1)] if features is None else features)
    symbols = features if symbols is None else _names(symbols)
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


def _numeric(name: str, X) -> np.ndarray:
    try:
        X = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: the expression values are not numeric ({error})") from None
    if X.ndim != 2 or 0 in X.shape:
        raise UserError(f"{name}: X has shape {X.shape}; expected (samples, features)")
    n_infinite = int(np.isinf(X).sum())
    if n_infinite:
        raise UserError(f"{name}: {n_infinite} expression values are infinite; leave missing values empty (NaN)")
    return X


def _names(values) -> np.ndarray:
    """Strings, without what separates names in the records."""
    names = np.asarray(["" if value is None else str(value).strip() for value in values], dtype=np.str_)
    return np.char.replace(names, LIST_END, ",")


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
