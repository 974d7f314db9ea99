"""Tables for a terminal: what they say, what they mark, and that they fit."""

import pandas as pd
import pytest

from spred_bench.reporting.tables import terminal

WIDE = pd.DataFrame(
    {
        "data": ["diabetes", "diabetes", "gaussian", "gaussian"],
        "n_features": [40_000, 40_000, 40_000, 40_000],
        "method": ["spred (Newton)", "celer", "spred (Newton)", "celer"],
        "final relative gap": [1.9e-15, 4e-7, 5.9e-16, 3e-7],
        "s to gap 1e-06": [0.5, 0.75, 0.3, 0.25],
        "note": ["", "", "", "not installed"],
    }
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (40_000.0, "40,000"),
        (4e4, "40,000"),
        (0.35938, "0.3594"),
        (5.83e-13, "5.8e-13"),
        (1234.56, "1,235"),
        (True, "1"),
        (float("nan"), ""),
        (None, ""),
        (float("inf"), "inf"),
        ("text", "text"),
        (-0.25, "-0.25"),
        (0, "0"),
    ],
)
def test_numbers_are_written_as_people_write_them(value, shown):
    assert terminal.number(value) == shown


def test_a_table_for_a_file_has_every_column():
    text = terminal.show(WIDE)
    assert "not shown" not in text and all(word in text for word in ("40,000", "not installed", "1.9e-15"))


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_window(width):
    table = terminal.mark_best(WIDE.copy(), "s to gap 1e-06", ["data"])
    lines = terminal.show(table, width).splitlines()
    body = [line for line in lines if "not shown" not in line and "in all rows" not in line]
    assert max(map(len, body)) <= width


def test_what_is_left_out_is_said():
    text = terminal.show(WIDE, 45).replace("\n  ", " ")
    assert "in all rows: n_features = 40,000" in text
    hidden = " ".join(text.split()).partition("not shown: ")[2].partition(";")[0].split(", ")
    assert hidden and all(name in WIDE.columns for name in hidden)
    assert "diabetes" in text and "--wide" in text


def test_the_best_of_each_problem_is_marked():
    table = terminal.mark_best(WIDE.copy(), "s to gap 1e-06", ["data"])
    lines = terminal.show(table).splitlines()
    marked = [line.split()[0:1] + line.split()[-2:] for line in lines if "*" in line and "best of" not in line]
    assert len(marked) == 2 and any("0.5*" in " ".join(line) for line in marked)
    assert any("0.25*" in line for line in lines) and lines[-1] == "* the best of its problem"


def test_larger_is_better_where_it_is_said_so():
    table = pd.DataFrame({"method": ["a", "b"], "accuracy": [0.5, 0.75]})
    assert "0.75*" in terminal.show(terminal.mark_best(table, "accuracy", [], largest=True))


def test_one_row_alone_has_no_winner():
    table = terminal.mark_best(pd.DataFrame({"method": ["a"], "accuracy": [0.5]}), "accuracy", [])
    assert "*" not in terminal.show(table)


def test_a_missing_column_or_value_is_no_winner():
    table = pd.DataFrame({"method": ["a", "b", "c"], "s": [float("nan"), 2.0, 3.0]})
    text = terminal.show(terminal.mark_best(terminal.mark_best(table, "s", []), "nothing", []))
    assert text.count("*") == 2 and "2*" in text


def test_wide_means_any_width(monkeypatch):
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(terminal, "_wide", False)
    assert terminal.window_width() > 0
    terminal.show_all_columns()
    assert terminal.window_width() is None
