"""Write the numbers and tables of the README from the committed rows, or (--check) say which are not theirs.

A number stands between `<!-- number: NAME -->` and `<!-- end -->`, NAME being a claim's id or an entry of
readme_numbers.yaml; a table between `<!-- table: NAME -->` and `<!-- end -->`, NAME being a function below.
"""

import re
import sys
from pathlib import Path

from omegaconf import OmegaConf

from spred_bench import frontier
from spred_bench.claims import evidence, rules, verdicts
from spred_bench.claims.measure import measure, select
from spred_bench.claims.rules import Statistic
from spred_bench.gene_tables import accuracy_table
from spred_bench.plots._pruning import name_of

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SPECIFICATION = OmegaConf.to_container(OmegaConf.load(Path(__file__).with_suffix(".yaml")))
_MARKED = re.compile(r"<!-- (number|table): (\w+) -->(.*?)<!-- end -->", re.DOTALL)
_PEERS = ("celer", "skglm", "adelie")


class Numbers:
    """What the rows of a results folder say, by the names that the README uses."""

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

    def table(self, name: str) -> str:
        """The lines of one table."""
        return TABLES[name](self) + "\n"


def claims_table(numbers: Numbers) -> str:
    """Verdicts counted by experiment."""
    counted = numbers.verdicts.groupby(["title", "verdict"], sort=False).size().unstack(fill_value=0)
    lines = ["| | " + " | ".join(verdicts.VERDICTS) + " |", "|---" * 5 + "|"]
    for title, counts in counted.reindex(columns=verdicts.VERDICTS, fill_value=0).iterrows():
        lines.append(f"| {title} | " + " | ".join(str(count or "") for count in counts) + " |")
    return "\n".join(lines)


def lasso_times(numbers: Numbers) -> str:
    """Medians over seeds of the seconds to a gap of 1e-6: a line per synthetic problem, the fastest in bold."""
    wanted = {"folder": "fig2_scaling", "metric": "time_to_gap_s", "threshold": 1e-6}
    rows = select(numbers.records, {**wanted, "dataset": ["gaussian", "compressive"]})
    rows = rows.assign(ratio=rows["lambda_ratio"].round(6))
    keys = ["dataset", "n_features", "truth", "ratio"]
    times = rows.pivot_table(index=keys, columns="method", values="value", aggfunc="median", sort=False)
    header = "| truth, p, lambda/lambda_max | spred (Newton) | " + " | ".join(_PEERS) + " | spred / best peer |"
    lines = [header, "|---" * 6 + "|"]
    for (_, p, truth, ratio), line in times.iterrows():
        shown = {method: f"{line[method]:.3g}" for method in ("spred_newton", *_PEERS)}
        shown[line.idxmin()] = f"**{shown[line.idxmin()]}**"
        against_best = line["spred_newton"] / line[[*_PEERS]].min()
        size = f"{p:.0e}".replace("e+0", "e")
        lines.append(f"| {truth}, {size}, {ratio:g} | " + " | ".join(shown.values()) + f" | {against_best:.2f} |")
    return "\n".join(lines)


def gene_accuracies(numbers: Numbers) -> str:
    """Test accuracy with its bootstrap interval, and the median number of features: a line per method."""
    rows = select(numbers.records, {"folder": "table1_genes", "protocol": "clean", "dataset": ["allaml", "glioma"]})
    names = rows["dataset"].unique()
    table = accuracy_table(rows).set_index(["method", "dataset"])
    head = "".join(f" {name.upper()}: accuracy | features |" for name in names)
    lines = [f"| |{head}", "|---" * (1 + 2 * len(names)) + "|"]
    for method in table.index.get_level_values("method").unique():
        cells = []
        for found in (table.loc[(method, name)] for name in names):
            cells.append(f"{found['accuracy']:.3f} [{found['low']:.3f}, {found['high']:.3f}] | {found['selected']:g}")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pruning_accuracies(numbers: Numbers) -> str:
    """Test accuracies after fine-tuning, medians over seeds at the kappa chosen on dev: a line per method."""
    table = frontier.by_method(select(numbers.records, {"folder": "fig5_small"})).set_index("method")
    columns = [column for column in table if column.endswith("x")]
    lines = ["| compression | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    best = table[columns].max()
    for method, line in table[columns].iterrows():
        shown = ["" if value != value else f"{value:.3f}" for value in line]
        bold = [f"**{text}**" if value == top else text for text, value, top in zip(shown, line, best, strict=True)]
        lines.append(f"| {name_of(method)} | " + " | ".join(bold) + " |")
    return "\n".join(lines)


TABLES = {
    "claims": claims_table,
    "lasso_times": lasso_times,
    "gene_accuracies": gene_accuracies,
    "pruning_accuracies": pruning_accuracies,
}


def rewritten(text: str, numbers: Numbers) -> str:
    """`text` with everything between markers as the rows have it."""

    def replace(match: re.Match) -> str:
        kind, name, _ = match.groups()
        inside = numbers.number(name) if kind == "number" else "\n" + numbers.table(name)
        return f"<!-- {kind}: {name} -->{inside}<!-- end -->"

    return _MARKED.sub(replace, text)


def unmarked_digits(text: str) -> list[str]:
    """Lines of the results section with a digit that is neither marked nor one of the settings listed."""
    section = text.split("\n## What was measured here\n")[1].split("\n## ")[0]
    section = _MARKED.sub("", section)
    section = re.sub(r"`[^`]*`|!?\[[^]]*\]\([^)]*\)|Fig\. \d|Section \d|L1|R²", "", section)  # code, links, names
    flat = " ".join(section.split())
    for setting in SPECIFICATION["settings"]:
        flat = flat.replace(setting, "")
    return [sentence for sentence in re.split(r"(?<=[.:;]) ", flat) if re.search(r"\d", sentence)]


def main(words: list[str]) -> int:
    """Rewrite the README; with --check only compare, exit code 1 where it differs."""
    old = README.read_text()
    new = rewritten(old, Numbers(ROOT / evidence.REFERENCE))
    if "--check" in words:
        pairs = zip(_MARKED.finditer(old), _MARKED.finditer(new), strict=True)
        wrong = [a[2] for a, b in pairs if a[3] != b[3]]
        print(f"README: {', '.join(wrong)} not as the rows have it" if wrong else "README: as the rows have it")
        for sentence in (unmarked := unmarked_digits(new)):
            print(f"README: a number without a mark: {sentence}")
        return int(bool(wrong or unmarked))
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
