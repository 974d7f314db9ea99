"""Readers of data files, one format a file, found by themselves: a new format is one new .py in this folder.

A reader has `SUFFIXES`, the ends of the file names it reads (in lower case, without .gz), and one function:

    def read(path: Path, x_key: str, columns: Sequence[str]) -> Table

`columns` are the columns or arrays that are no features: targets, labels, sample names. `x_key` is the array of the
features, where a format has named arrays. `read` raises UserError for what it can name; all else that it raises is
told as "cannot be read". It guesses nothing: what is ambiguous is refused.
"""

import functools
import importlib
import pkgutil
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spred_bench.errors import UserError

_PACKED = (".gz", ".bz2")
# Of text, unpacked: the largest GEO DataSets have some 300 MB. More would need several times as much memory.
LARGEST_TEXT = 2**30


@dataclass(frozen=True)
class Table:
    """What a file holds, not yet checked.

    X: (n, d) array or sparse matrix.  columns: {name: (n,) or (n, m) values} of the columns that were asked for; a
    format that says itself what they are (svmlight, SOFT) gives its own.  features, symbols: (d,) names, where the file
    has them.  samples: (n,) names, where the format says which they are.
    """

    X: Any
    columns: Mapping[str, Any]
    features: Sequence[str] | None = None
    symbols: Sequence[str] | None = None
    samples: Sequence[str] | None = None


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """The file, by the reader of its suffix. Raises UserError, one line that names the file."""
    kind = suffix(path)
    if kind not in by_suffix():
        raise UserError(f"{path}: unknown kind of file '{kind}'; expected {', '.join(sorted(by_suffix()))}")
    try:
        return by_suffix()[kind].read(path, x_key, columns)
    except UserError:
        raise
    except Exception as error:  # every format has its own ways to fail on a foreign or cut file
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        raise UserError(f"{path}: cannot be read ({type(error).__name__}: {reason})") from None


@functools.cache
def by_suffix() -> dict:
    """{suffix: reader} of every file in this folder."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    readers = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {end: reader for reader in readers for end in reader.SUFFIXES}


def suffix(path: Path) -> str:
    """'.csv' of data.CSV.gz."""
    return next((end for end in reversed([part.lower() for part in path.suffixes]) if end not in _PACKED), "")


def stem(path: Path) -> str:
    """'my.data' of my.data.csv.gz: what tables call the data set."""
    packed = path.suffix.lower() in _PACKED
    return Path(path.stem).stem if packed else path.stem


def text(path: Path, errors: str = "strict") -> str:
    """The text of a plain or packed file, of bounded size, without a byte-order mark, with \\n at the ends of lines.

    errors: of decoding, as in `bytes.decode`. Raises UserError.
    """
    import bz2
    import gzip

    with open(path, "rb") as file:
        start = file.read(3)
    opened = gzip.open if start.startswith(b"\x1f\x8b") else bz2.open if start == b"BZh" else open
    try:
        with opened(path, "rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(f"{path}: cut or damaged packed file ({error}); remove it and fetch it again") from None
    if len(data) > LARGEST_TEXT:
        raise UserError(f"{path}: holds more than {LARGEST_TEXT >> 20} MiB of text; save the arrays as .npz")
    try:
        return data.decode("utf-8-sig", errors).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not text in UTF-8 (byte {error.start})") from None


def pick(path: Path, kind: str, holder: Iterable[str], name: str) -> str:
    """`name`, if the file has it. Raises UserError that lists what the file has."""
    if name not in holder:
        there = list(map(str, holder))
        shown = ", ".join(there[:8]) + (f", ... ({len(there)} in all)" if len(there) > 8 else "")
        raise UserError(f"{path}: no {kind} '{name}'; it holds {shown or 'nothing'}")
    return name


def real(name: str, label: str, array) -> np.ndarray:
    """Numbers as an array of floats, float32 only where they are. Raises UserError for complex numbers, dates, text.

    Nor may a value be so large that the sum of squares overflows: every solver forms it.
    """
    try:
        array = np.asarray(array)
    except ValueError as error:
        raise UserError(f"{name}: {label} is not numeric ({error})") from None
    if array.dtype.kind not in "biuf":
        what = {"c": "complex numbers", "M": "dates", "m": "times", "U": "text", "S": "text"}.get(
            array.dtype.kind, "objects"
        )
        raise UserError(f"{name}: {label} is not numeric (it holds {what}); expected real numbers")
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    finite = array[np.isfinite(array)] if array.size else array
    largest = np.abs(finite).max(initial=0)
    if largest > np.sqrt(np.finfo(array.dtype).max / max(array.size, 1)):
        raise UserError(f"{name}: {label} holds {largest:g}, whose square overflows in {array.dtype}; rescale it first")
    return array
