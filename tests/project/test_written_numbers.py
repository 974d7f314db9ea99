"""Every number of docs/results.md, and every marked one elsewhere, is written from a committed row."""

import shutil

import pandas as pd
import pytest

import written_numbers
from paths import ROOT
from spred_bench.reporting.claims import evidence

RESULTS = written_numbers.RESULTS.read_text()


@pytest.fixture(scope="module")
def numbers():
    return written_numbers.Numbers(ROOT / evidence.REFERENCE)


@pytest.mark.slow
@pytest.mark.parametrize("path", written_numbers.TEXTS, ids=lambda path: path.name)
def test_the_texts_say_what_the_rows_say(numbers, path):
    text = path.read_text()
    assert written_numbers.rewritten(text, numbers) == text, "run: make numbers"


def test_the_results_are_marked():
    assert RESULTS.count("<!-- number:") > 10 and RESULTS.count("<!-- table:") == 4


def test_no_result_stands_without_a_mark():
    assert written_numbers.unmarked_digits(RESULTS) == []
    spoilt = RESULTS.replace("spred is the fastest", "spred is 17 times faster")
    assert len(written_numbers.unmarked_digits(spoilt)) == 1


@pytest.mark.slow
def test_another_row_gives_another_page(tmp_path, numbers):
    shutil.copytree(ROOT / evidence.REFERENCE, tmp_path / "reference")
    path = tmp_path / "reference" / "fig2_headline" / "records.csv"
    rows = pd.read_csv(path)
    rows.loc[rows["metric"] == "final_relative_gap", "value"] = 0.25
    rows.to_csv(path, index=False)
    changed = written_numbers.rewritten(RESULTS, written_numbers.Numbers(tmp_path / "reference"))
    assert changed != RESULTS and "<!-- number: headline_cd_gap -->2.5e-1<!-- end -->" in changed


def test_a_number_without_rows_is_an_error(tmp_path):
    shutil.copytree(ROOT / evidence.REFERENCE / "landscape", tmp_path / "landscape")
    with pytest.raises(ValueError, match="headline_cd_s: no rows"):
        written_numbers.Numbers(tmp_path).number("headline_cd_s")
