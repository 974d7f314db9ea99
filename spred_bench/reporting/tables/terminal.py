"""A table for a terminal: numbers as people write them, the winner marked, no line wider than the window."""

import math
import shutil
import sys
import textwrap
from collections.abc import Sequence

import pandas as pd

_GAP = "  "
_MARK = "*"
WIDE_FLAG = "--wide"
_wide = False


def show_all_columns() -> None:
    """What `--wide` asks for: tables as wide as they are, on a terminal too."""
    global _wide
    _wide = True


def window_width() -> int | None:
    """Columns of the terminal; None with `--wide`, and where the output goes to a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() and not _wide else None


def number(value) -> str:
    """A value to four significant digits: `40,000`, `0.3594`, `5.8e-13`; text as it is, nothing for a missing value."""
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if not math.isfinite(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def mark_best(table: pd.DataFrame, column: str, within: Sequence[str], largest: bool = False) -> pd.DataFrame:
    """The table, told which value of `column` is the best of the rows that agree in `within`: `show` marks it.

    A group of one row has no winner.
    """
    table.attrs["best"] = [*table.attrs.get("best", []), (column, list(within), largest)]
    return table


def show(table: pd.DataFrame, width: int | None = None) -> str:
    """The table as text, no line longer than `width` where one is given; columns without any value are left out.

    A table that is too wide loses, in this order: columns with one value in all rows, which a line above the table then
    states; the right-most columns without a mark, which a line below the table names.
    """
    cells = {str(name): [number(value) for value in table[name]] for name in table.columns}
    numeric = {str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])}
    cells = {name: column for name, column in cells.items() if any(column)}
    marked = _mark(table, cells)
    above, below = [], []
    if width is not None and _width(cells) > width and len(table) > 1:
        constant = [name for name, column in cells.items() if len(set(column)) == 1 and column[0]]
        above = [f"{name} = {cells.pop(name)[0]}" for name in constant]
    while width is not None and _width(cells) > width:
        spare = [name for name in list(cells)[1:] if name not in marked]
        if not spare:
            break
        numbers = [name for name in spare if name in numeric]
        dropped = (numbers or spare)[-1]
        below.insert(0, dropped)
        del cells[dropped]
    lines = _lines(cells, numeric)
    if above:
        lines = [*_wrapped(f"in all rows: {', '.join(above)}", width), "", *lines]
    if marked and any(text.endswith(_MARK) for name in marked for text in cells.get(name, ())):
        lines.append(f"{_MARK} the best of its problem")
    if below:
        lines += _wrapped(f"not shown: {', '.join(below)}; {WIDE_FLAG} shows all columns", width)
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 30), subsequent_indent="  ")


def _mark(table: pd.DataFrame, cells: dict[str, list[str]]) -> set[str]:
    marked = set()
    for column, within, largest in table.attrs.get("best", []):
        if str(column) not in cells:
            continue
        marked.add(str(column))
        values = pd.to_numeric(table[column], errors="coerce").reset_index(drop=True)
        groups = [table[name].reset_index(drop=True) for name in within]
        grouped = values.groupby(groups, dropna=False) if groups else values.groupby([0] * len(values))
        best = grouped.transform("max" if largest else "min")
        contested = grouped.transform("count") > 1
        for i in values.index[(values == best) & contested]:
            cells[str(column)][i] += _MARK
    return marked


def _heads(name: str, width: int) -> list[str]:
    """The words of a column's name on as few lines as its values are wide, or its longest word."""
    words = name.replace("_", "_ ").split()
    width = max(width, *map(len, words), 1)
    lines = [words[0]] if words else [""]
    for word in words[1:]:
        glue = "" if lines[-1].endswith("_") else " "
        if len(lines[-1]) + len(glue) + len(word) <= width:
            lines[-1] += glue + word
        else:
            lines.append(word)
    return lines


def _column(name: str, values: list[str]) -> tuple[list[str], int]:
    heads = _heads(name, max(map(len, values), default=0))
    return heads, max(len(text) for text in [*heads, *values])


def _width(cells: dict[str, list[str]]) -> int:
    return sum(_column(name, values)[1] for name, values in cells.items()) + len(_GAP) * max(len(cells) - 1, 0)


def _lines(cells: dict[str, list[str]], numeric: set[str]) -> list[str]:
    columns = []
    deepest = max((len(_column(name, values)[0]) for name, values in cells.items()), default=0)
    for name, values in cells.items():
        heads, width = _column(name, values)
        # A mark stands after the digits, so that marked and unmarked numbers line up.
        room = any(text.endswith(_MARK) for text in values)
        texts = [text if text.endswith(_MARK) or not room else text + " " for text in values]
        width = max([width, *map(len, texts)])
        adjust = str.rjust if name in numeric else str.ljust
        columns.append([adjust(text, width) for text in [""] * (deepest - len(heads)) + heads + texts])
    return [_GAP.join(line).rstrip() for line in zip(*columns, strict=True)]
