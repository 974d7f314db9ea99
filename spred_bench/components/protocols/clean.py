"""What a user can trust: one factor is the label, a sample enters once, and nothing fitted has seen the test part.

Stratified 60/20/20. From the training part alone come the decision to take logarithms, the medians that stand in for
missing values, and mean and standard deviation of every feature.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from spred_bench.components.contract import component, suggest
from spred_bench.components.data.genes import Expression
from spred_bench.components.protocols import BaseProtocol, Labelled, Sampling, assemble, part_sizes
from spred_bench.errors import UserError

_SMALLEST_CLASS = 3  # one sample for each part


@component
class Protocol(BaseProtocol):
    """factor: name of the factor type, or several, of which the first that can serve is taken; null, or none of them:
    the only one that can. One can serve if it has at least two classes, each of three samples or more.  exclude:
    classes left out. Several data sets may differ in their names; one that none of them has is an error.
    """

    factor: str | list[str] | None = None
    exclude: list[str] = Field([])

    def check(self, datasets: Sequence[Expression]) -> None:
        """UserError unless one of several factors, and every class left out, is in one of the data sets of the run."""
        names = {factor for data in datasets for factor in data.factors}
        if self.factor and isinstance(self.factor, list) and names.isdisjoint(self.factor):
            known = suggest(self.factor[0], names)
            raise UserError(f"protocol.clean.factor={self.factor}: no data set has such a factor; {known}")
        named = names.intersection(self._wanted) or names
        classes = {
            str(label) for data in datasets for factor in named & {*data.factors} for label in data.factors[factor]
        }
        for label in self.exclude:
            if label not in classes:
                known = suggest(label, classes - {""})
                raise UserError(f"protocol.clean.exclude={self.exclude}: no data set has the class '{label}'; {known}")

    def label(self, data: Expression) -> Labelled:
        """One pair for each sample that has a label. UserError where no factor can serve, or several could."""
        factor = self._choose(data)
        labels = self._labels(data, factor)
        rows = np.flatnonzero(labels != "")
        classes, y = np.unique(labels[rows], return_inverse=True)
        return Labelled(rows, y.astype(np.int64), classes.tolist(), factor)

    def sample(self, data: Expression, labelled: Labelled, seed: int) -> Sampling:
        """One stratified division, scaled by its training part."""
        train, dev, test = divide(labelled.y, np.random.default_rng([seed, 4]))
        X = data.X[labelled.rows]
        n_imputed = int(np.isnan(X).sum())
        log = needs_logarithm(X[train])
        if log:
            X = np.log2(np.maximum(X, 1, out=X), out=X)  # NaN stays NaN
        standardise(X, train)
        return assemble(X, labelled.y, train, dev, test, n_imputed, log)

    def _labels(self, data: Expression, factor: str) -> np.ndarray:
        labels = data.factors[factor]
        return np.where(np.isin(labels, self.exclude), "", labels)

    @property
    def _wanted(self) -> list[str]:
        return [self.factor] if isinstance(self.factor, str) else self.factor or []

    def _choose(self, data: Expression) -> str:
        faults = {factor: fault(factor, self._labels(data, factor)) for factor in data.factors}
        if isinstance(self.factor, str):
            if self.factor not in faults:
                raise UserError(f"protocol.clean.factor={self.factor}: no such factor; {_listed(data)}")
            if faults[self.factor]:
                raise UserError(faults[self.factor])
        fit = [factor for factor, reason in faults.items() if not reason]
        for factor in self._wanted:
            if factor in fit:
                return factor
        if len(fit) == 1:
            return fit[0]
        if not fit:
            raise UserError("; ".join(faults.values()))
        raise UserError(f"several factors could be the label, protocol.clean.factor=... names one; {_listed(data)}")


def fault(factor: str, labels: np.ndarray) -> str:
    """Why a factor cannot be the label; "" where it can."""
    classes, counts = np.unique(labels[labels != ""], return_counts=True)
    if len(classes) < 2:
        return f"factor '{factor}' has {f'one value, {classes[0]!s}' if len(classes) else 'no value'}: nothing to tell"
    small = counts.argmin()
    if counts[small] < _SMALLEST_CLASS:
        return (
            f"factor '{factor}', class '{classes[small]}': {counts[small]} of {counts.sum()} samples, 60/20/20 needs "
            f"{_SMALLEST_CLASS}; protocol.clean.exclude=['{classes[small]}'] leaves it out"
        )
    return ""


def _listed(data: Expression) -> str:
    parts = []
    for factor, labels in data.factors.items():
        classes, counts = np.unique(labels[labels != ""], return_counts=True)
        shown = ", ".join(f"{name} {count}" for name, count in zip(classes[:4], counts[:4], strict=True))
        parts.append(f"'{factor}' ({shown}{', ...' if len(classes) > 4 else ''})")
    return f"there are {' and '.join(parts)}"


def divide(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of training, dev and test part, a fifth of every class in each of the last two, and at least one."""
    parts = ([], [], [])
    for label in range(y.max() + 1):
        members = rng.permutation(np.flatnonzero(y == label))
        n_dev, n_test = part_sizes(len(members))
        for part, chosen in zip(parts, np.split(members, [len(members) - n_dev - n_test, -n_test]), strict=True):
            part.append(chosen)
    return tuple(rng.permutation(np.concatenate(part)) for part in parts)


def needs_logarithm(X: np.ndarray) -> bool:
    """Whether values look like intensities rather than their logarithms: GEO2R's rule, on X (n, d).

    The 99th percentile is above 100, or the range is above 50 while the lower quartile is positive.
    """
    values = X[~np.isnan(X)]
    low, quartile, high, top = np.quantile(values, [0, 0.25, 0.99, 1])
    return bool(high > 100 or (top - low > 50 and quartile > 0))


def standardise(X: np.ndarray, train: np.ndarray) -> None:
    """In place, X (n, d): medians of the training rows for NaN, then their mean to 0 and their variance to 1.

    Features that are constant or unknown in the training rows become 0 throughout: they can have taught nothing.
    """
    gaps = np.isnan(X)
    if gaps.any():
        medians = np.zeros(X.shape[1], X.dtype)
        holed = gaps.any(axis=0) & ~gaps[train].all(axis=0)
        medians[holed] = np.nanmedian(X[np.ix_(train, holed)], axis=0)
        np.copyto(X, medians, where=gaps)
    mean, std = X[train].mean(axis=0, dtype=np.float64), X[train].std(axis=0, dtype=np.float64)
    # A constant's deviation is not always exactly 0 in floating point.
    varies = std > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    X -= mean.astype(X.dtype)
    X *= np.where(varies, 1 / np.where(varies, std, 1), 0).astype(X.dtype)
