"""Every number among the README's results is written from a committed row."""

import importlib.util
import shutil
from pathlib import Path

import pandas as pd
import pytest

from spred_bench.claims import evidence

ROOT = Path(__file__).parent.parent
SCRIPT = importlib.util.spec_from_file_location("readme_numbers", ROOT / "scripts" / "readme_numbers.py")
readme_numbers = importlib.util.module_from_spec(SCRIPT)
SCRIPT.loader.exec_module(readme_numbers)
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def numbers():
    return readme_numbers.Numbers(ROOT / evidence.REFERENCE)


def test_the_readme_says_what_the_rows_say(numbers):
    assert readme_numbers.rewritten(README, numbers) == README, "run: make readme"
    assert README.count("<!-- number:") > 10 and README.count("<!-- table:") == 4


def test_no_result_stands_without_a_mark():
    assert readme_numbers.unmarked_digits(README) == []
    spoilt = README.replace("spred is the fastest", "spred is 17 times faster")
    assert len(readme_numbers.unmarked_digits(spoilt)) == 1


def test_another_row_gives_another_readme(tmp_path, numbers):
    shutil.copytree(ROOT / evidence.REFERENCE, tmp_path / "reference")
    path = tmp_path / "reference" / "fig2_headline" / "records.csv"
    rows = pd.read_csv(path)
    rows.loc[rows["metric"] == "final_relative_gap", "value"] = 0.25
    rows.to_csv(path, index=False)
    changed = readme_numbers.rewritten(README, readme_numbers.Numbers(tmp_path / "reference"))
    assert changed != README and "<!-- number: headline_cd_gap -->2.5e-1<!-- end -->" in changed


def test_a_number_without_rows_is_an_error(tmp_path):
    shutil.copytree(ROOT / evidence.REFERENCE / "landscape", tmp_path / "landscape")
    with pytest.raises(ValueError, match="headline_cd_s: no rows"):
        readme_numbers.Numbers(tmp_path).number("headline_cd_s")
