"""Write the numbers and tables of README and docs/ from the committed rows, or (--check) say which are not theirs.

A number stands between `<!-- number: NAME -->` and `<!-- end -->`, NAME being a claim's id or an entry of
written_numbers.yaml; a table between `<!-- table: NAME WORDS -->` and `<!-- end -->`, NAME being one of
written_tables.TABLES and WORDS what it takes. Any other digit of docs/results.md is refused.
"""

import re
import sys
from pathlib import Path

from omegaconf import OmegaConf

from spred_bench.reporting.claims import evidence, rules, verdicts
from spred_bench.reporting.claims.measure import measure
from spred_bench.reporting.claims.rules import Statistic
from written_tables import TABLES

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results.md"
TEXTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SPECIFICATION = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_suffix(".yaml")))
_MARKED = re.compile(r"<!-- (number|table): ([\w ]+?) -->(.*?)<!-- end -->", re.DOTALL)


class Numbers:
    """What the rows of a results folder say, by the names that the texts use."""

    def __init__(self, results: Path):
        folders = evidence.read(results)
        self.records = evidence.all_rows(folders)
        self.verdicts = verdicts.judge(rules.load(), folders)
        self._entries = SPECIFICATION["numbers"]

    def number(self, name: str) -> str:
        """The text of one number. KeyError for an unknown name, ValueError where nothing was measured."""
        if name in self._entries:
            entry = dict(self._entries[name])
            style = entry.pop("format")
            found = measure(self.records, Statistic(**entry))
            value = None if found is None else found.value
        else:
            claim = self.verdicts.set_index("claim").loc[name]
            style, value = ".2g", None if claim["verdict"] == verdicts.NOT_RUN else claim["value"]
        if value is None:
            raise ValueError(f"{name}: no rows for it")
        return re.sub(r"e([+-])0", r"e\1", f"{value:{style}}")

    def table(self, words: str) -> str:
        """The lines of one table, named by the first of `words`."""
        name, *arguments = words.split()
        return TABLES[name](self, *arguments) + "\n"


def rewritten(text: str, numbers: Numbers) -> str:
    """`text` with everything between markers as the rows have it."""

    def replace(match: re.Match) -> str:
        kind, name, _ = match.groups()
        inside = numbers.number(name) if kind == "number" else "\n" + numbers.table(name)
        return f"<!-- {kind}: {name} -->{inside}<!-- end -->"

    return _MARKED.sub(replace, text)


def unmarked_digits(text: str) -> list[str]:
    """Sentences of the results with a digit that is neither marked nor one of the settings listed."""
    text = _MARKED.sub("", re.sub(r"^(#[^\n]*|```\w*\n.*?^```)$", "", text, flags=re.MULTILINE | re.DOTALL))
    text = re.sub(r"`[^`]*`|!?\[[^]]*\]\([^)]*\)|Fig\. \d|Section \d|L1|R²", "", text)  # code, links, names
    flat = " ".join(text.split())
    for setting in SPECIFICATION["settings"]:
        flat = flat.replace(setting, "")
    return [sentence for sentence in re.split(r"(?<=[.:;]) ", flat) if re.search(r"\d", sentence)]


def main(words: list[str]) -> int:
    """Rewrite the texts; with --check only compare, exit code 1 where one differs."""
    numbers = Numbers(ROOT / evidence.REFERENCE)
    wrong = []
    for path in TEXTS:
        old = path.read_text()
        new = rewritten(old, numbers)
        pairs = zip(_MARKED.finditer(old), _MARKED.finditer(new), strict=True)
        if "--check" in words:
            wrong += [f"{path.relative_to(ROOT)}: {a[2]} is not as the rows have it" for a, b in pairs if a[3] != b[3]]
        else:
            path.write_text(new)
    wrong += [f"{RESULTS.name}: a number without a mark: {words}" for words in unmarked_digits(RESULTS.read_text())]
    print("\n".join(wrong or ["every number is as the rows have it"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
