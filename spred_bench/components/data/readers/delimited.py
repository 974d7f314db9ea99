"""Tables as text: .csv (commas) and .tsv (tabs), a line of names, then a row for each sample.

Nothing is guessed. Only an empty field is a missing value; "NA", "None" and "null" are words. Every line has as many
fields as the line of names, and every column has a name of its own.
"""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spred_bench.components.data.readers import Table, pick, suffix, text
from spred_bench.errors import UserError

SUFFIXES = (".csv", ".tsv")
_OF_NUMBERS = frozenset("0123456789+-.eE ")


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """The columns asked for as text, all others as numbers. Raises UserError naming the line or column at fault."""
    rows = csv.reader(
        io.StringIO(text(path), newline=""), delimiter="\t" if suffix(path) == ".tsv" else ",", strict=True
    )
    names = _names(path, next(rows, []))
    place = {pick(path, "column", names, name): names.index(name) for name in columns}
    features = [j for j in range(len(names)) if j not in place.values()]
    texts, X = {name: [] for name in columns}, []
    for row in rows:
        if not row:
            continue  # an empty line
        if len(row) != len(names):
            raise UserError(
                f"{path}: line {rows.line_num} has {len(row)} fields, the line of names {len(names)}; is the file cut, "
                "or does a line end in a comma?"
            )
        for name, j in place.items():
            texts[name].append(row[j].strip())
        X.append(_numbers(path, rows.line_num, names, [(j, row[j].strip()) for j in features]))
    if not X:
        raise UserError(f"{path}: a line of names, but no sample")
    return Table(np.array(X), texts, [names[j] for j in features])


def _names(path: Path, line: list[str]) -> list[str]:
    names = [name.strip() for name in line]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t,"):
        raise UserError(f"{path}: one column, '{names[0][:40]}'; expected commas in a .csv, tabs in a .tsv")
    if names and not names[0]:
        raise UserError(
            f"{path}: the first column has no name; is it an index? Save the table without it (pandas: "
            "index=False), or give it a name and say what it is (sample=...)"
        )
    if "" in names:
        raise UserError(f"{path}: column {names.index('') + 1} has no name; does the line of names end in a comma?")
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise UserError(f"{path}: column '{name}' stands {times} times; names of columns must differ")
    return names


def _numbers(path: Path, line: int, names: list[str], fields: list[tuple[int, str]]) -> np.ndarray:
    try:
        if not _OF_NUMBERS.issuperset("".join(field for _, field in fields)):
            raise ValueError
        return np.array([float(field) if field else np.nan for _, field in fields])
    except ValueError:
        for j, field in fields:
            if not _is_number(field):
                raise UserError(
                    f"{path}: column '{names[j]}' is not numeric: line {line} holds '{field[:40]}'; an empty "
                    "field is a missing value, label= names labels, target= targets, sample= sample names"
                ) from None
        raise


def _is_number(field: str) -> bool:
    try:
        return not field or (_OF_NUMBERS.issuperset(field) and bool(np.isscalar(float(field))))
    except ValueError:
        return False
