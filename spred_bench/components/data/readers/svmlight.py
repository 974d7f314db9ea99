"""svmlight's text: a target, then index:value for every entry that is not zero."""

from collections.abc import Sequence
from pathlib import Path

from spred_bench.components.data.readers import Table
from spred_bench.errors import UserError

SUFFIXES = (".svm", ".svmlight", ".libsvm", ".txt")
_MOST_FEATURES = 2**27  # solvers keep several numbers for each: 1 GiB for every vector of float64


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """X sparse, and the targets, whatever they are called."""
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(str(path))
    except OverflowError:
        raise UserError(f"{path}: an index is too large; the most is {_MOST_FEATURES}") from None
    if not X.shape[0]:
        raise UserError(f"{path}: holds no sample, only comments or empty lines")
    if not X.nnz:
        raise UserError(f"{path}: no sample has an entry; expected lines like '1.5 3:0.2 7:1'")
    if X.shape[1] > _MOST_FEATURES:
        raise UserError(f"{path}: its largest index is {X.shape[1]}; the most is {_MOST_FEATURES}")
    return Table(X, {"y": y})
