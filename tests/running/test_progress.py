"""What a run shows of its progress."""

import sys

import pytest

from spred_bench.running import progress
from spred_bench.system import activity


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (42.0, "42 s"), (99.6, "2 min"), (3599, "60 min"), (12_600, "3.5 h")]
)
def test_times_are_written_for_people(seconds, text):
    assert progress.duration(seconds) == text


def test_lines_say_the_time_left(monkeypatch):
    clock = iter([0.0, 30.0, 60.0, 61.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines = []
    with progress.show(["a", "b", "c"], lines.append) as shown:
        for name in "abc":
            shown.begin(name)
            shown.end(name, important=False)
    assert lines == ["a; about 60 s left", "b; about 30 s left", "c"]


def test_the_bar_moves_inside_a_cell_and_never_back(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "_EVERY_S", 0.0)
    positions = []
    with progress.show(["one", "two"], print) as shown:
        shown.begin("a name far longer than the room that there is on a line of eighty columns")
        for step in (1, 3, 2):
            activity.advance(step, 4)
            positions.append(shown._bar.n)
        shown.end("", important=False)
        positions.append(shown._bar.n)
    assert positions == [0.25, 0.75, 0.75, 1]
    assert "eighty columns" in capsys.readouterr().err
