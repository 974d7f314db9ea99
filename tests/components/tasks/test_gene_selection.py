"""The task: chosen by dev, tested once, no signal no accuracy, planted genes found, tables that add up, bad input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import f_classif

from spred_bench.components.data.expression import Source
from spred_bench.components.data.gds import Source as Gds
from spred_bench.components.protocols import clean, paper
from spred_bench.components.selectors import BaseSelector, Selection
from spred_bench.components.selectors.majority import Selector as Majority
from spred_bench.components.selectors.univariate import Selector as Univariate
from spred_bench.components.tasks import gene_selection
from spred_bench.components.tasks.gene_selection import Task, choose
from spred_bench.errors import Skip
from spred_bench.reporting.tables import gene_tables


def make_task(**changes) -> Task:
    data = {"expression": Source(n_samples=45, n_features=60, n_informative=5)}
    chosen = {"data": data, "protocol": {"clean": clean.Protocol()}, "selector": {"majority": Majority()}}
    return Task(**{**chosen, "n_samplings": 3, **changes})


def rows_of(task: Task) -> pd.DataFrame:
    """The records of all cells, as the runner would write and pandas read them."""
    found = [{**cell.columns(), "status": "done", **row} for cell in task.cells() for row in task.run(cell)]
    table = pd.DataFrame(found, columns=["dataset", "method", "seed", *task.key_columns, *_LAST])
    return table.mask(table == "", np.nan)


_LAST = ("step", "time_s", "split", "metric", "value", "status", "note")


def accuracies(table: pd.DataFrame, method: str) -> np.ndarray:
    rows = table[(table["metric"] == "accuracy") & (table["split"] == "test") & (table["method"] == method)]
    return rows["value"].to_numpy(float)


class Remembering(BaseSelector):
    """A selector that keeps what it was given and offers three points, of which dev prefers the second."""

    def __init__(self):
        self.splits, self.asked = [], 0

    def select(self, split, n_classes, seed, device):
        self.splits.append(split)

        def predict(X):
            self.asked += 1
            return np.zeros(len(X), int)

        sizes, scores = (9, 2, 1), (0.8, 0.8, 0.5)
        return [
            Selection({"kappa": 0.1 * k}, np.arange(k), score, 0.4, predict, [(0, 1.0, 0.3), (5, 0.5, score)])
            for k, score in zip(sizes, scores, strict=True)
        ]


def test_dev_chooses_and_test_is_read_once():
    selector = Remembering()
    task = make_task(selector={"fake": selector}, n_samplings=2)
    table = rows_of(task)
    assert selector.asked == 2
    n_selected = table[table["metric"] == "n_selected"]
    assert n_selected["value"].tolist() == [2, 2] and n_selected["features"].tolist() == ["gene1;gene2;"] * 2
    np.testing.assert_allclose(n_selected["kappa"], 0.2)
    np.testing.assert_allclose(n_selected["l1_strength"], 0.4)
    assert table[table["metric"] == "path_accuracy"]["n_selected"].tolist() == [9, 2, 1] * 2
    curve = table[(table["metric"] == "curve_accuracy") & (table["seed"] == 0)]
    assert curve["step"].tolist() == [0, 5] and curve["value"].tolist() == [0.3, 0.8]
    data = task._sources["expression"].load(0)
    held = sum(len(split.y_train) + len(split.y_dev) for split in selector.splits[:1])
    assert held == len(data.samples) - 9


def test_choice_prefers_accuracy_then_loss_then_fewer_features():
    points = [(1, 0.7, 0.1), (2, 0.9, 0.8), (1, 0.9, np.inf), (9, 0.9, 0.3), (3, 0.9, 0.3), (3, 0.9, 0.3)]
    selections = [Selection({"i": i}, np.arange(k), *score, None) for i, (k, *score) in enumerate(points)]
    assert choose(selections).settings == {"i": 4} and choose(selections[:4]).settings == {"i": 3}


def test_samplings_are_selected_together_where_the_selector_can(monkeypatch):
    calls = []

    class Together(Remembering):
        trains_together = True

        def select_many(self, splits, n_classes, seeds, device):
            calls.append(list(seeds))
            return super().select_many(splits, n_classes, seeds, device)

    together = rows_of(make_task(selector={"fake": Together()}, n_samplings=5, seed=3))
    assert calls == [[3, 4, 5, 6, 7]]
    assert set(together.loc[together["metric"] == "trained_together", "value"]) == {5}
    calls.clear()
    monkeypatch.setattr(gene_selection, "_MEMORY_BYTES", 2 * 45 * 60 * 4)
    in_twos = rows_of(make_task(selector={"fake": Together()}, n_samplings=5, seed=3))
    assert calls == [[3, 4], [5, 6], [7]]
    np.testing.assert_array_equal(accuracies(together, "fake"), accuracies(in_twos, "fake"))


class Leaky(clean.Protocol):
    """Broken on purpose: features are ranked on all samples, the test part among them, before the division."""

    def sample(self, data, labelled, seed):
        scores = f_classif(data.X, labelled.y)[0]
        return super().sample(replace(data, X=np.where(scores >= np.sort(scores)[-20], data.X, 0)), labelled, seed)


def mean_accuracy_without_signal(protocol) -> float:
    """Of a filter and a support vector machine, over 6 data sets of two equal classes, 6 samplings of each."""
    found = []
    for seed in range(6):
        source = Source(n_samples=60, n_features=1000, n_classes=2, effect=0.0)
        selector = {"filter": Univariate(n_features=[5, 20], C=[1.0])}
        task = make_task(
            data={"noise": source}, protocol={"p": protocol}, selector=selector, n_samplings=6, seed=100 * seed
        )
        found.append(accuracies(rows_of(task), "filter").mean())
    return float(np.mean(found))


def test_without_signal_a_leak_shows_above_the_majority_rate():
    # 360 samples in all: one standard deviation of a coin is 0.026. The bound is four.
    assert mean_accuracy_without_signal(clean.Protocol()) == pytest.approx(0.5, abs=0.105)
    assert mean_accuracy_without_signal(Leaky()) > 0.5 + 2 * 0.105


def test_planted_genes_are_found_and_counted():
    source = Source(n_samples=120, n_features=2000, n_informative=8, n_classes=2, effect=3.0)
    selector = {"filter": Univariate(n_features=[8], C=[1.0]), "majority": Majority()}
    table = rows_of(make_task(data={"expression": source}, selector=selector))
    found = table[table["method"] == "filter"].groupby("metric")["value"].mean()
    assert found["planted_precision"] == found["planted_recall"] > 0.7 and found["n_points"] == 1
    none = table[(table["method"] == "majority") & (table["metric"] == "planted_precision")]
    assert none["value"].isna().all() and len(none) == 3
    genes = gene_tables.gene_table(table)
    planted = source.load(0)
    names = set(planted.features[planted.planted])
    always = genes[genes["frequency"] == 1]
    assert len(always) >= 5 and set(always["feature"]) <= names and genes["frequency"].is_monotonic_decreasing


def test_paper_reports_the_ceiling_of_contradictory_labels():
    table = rows_of(make_task(protocol={"clean": clean.Protocol(), "paper": paper.Protocol()}))
    described = gene_tables.data_table(table)
    assert described["pairs"].tolist() == [45, 45] and described["ceiling"].tolist() == [1, 1]
    assert described["labels by factor"].tolist() == ["class 3"] * 2 and described["majority"].tolist() == [1 / 3] * 2


def record(method, seed, metric, value, **more):
    row = {"dataset": "d", "protocol": "clean", "method": method, "seed": seed, "metric": metric, "value": value}
    return {**row, "n_features": 10, "status": "done", **more}


def test_table_1_pairs_the_samplings_and_names_its_reference():
    rows = []
    for seed, (own, other) in enumerate([(0.9, 0.8), (0.7, 0.6), (0.5, 0.4)]):
        for method, score, names in (("lasso", other, "a;b;"), ("spred_linear", own, "a;")):
            rows.append(record(method, seed, "accuracy", score, split="test"))
            rows.append(record(method, seed, "n_selected", names.count(";"), features=names, symbols=names))
            rows.append(record(method, seed, "fit_s", 2.0))
    skipped = {"dataset": "d", "protocol": "clean", "method": "peer", "status": "skipped", "note": "pip install peer"}
    table = gene_tables.accuracy_table(pd.DataFrame([*rows, skipped])).set_index("method")
    assert table.loc["lasso", "reference"] == "spred_linear" and pd.isna(table.loc["spred_linear", "reference"])
    np.testing.assert_allclose(
        table.loc["lasso", ["difference", "difference_low", "difference_high"]].astype(float), -0.1
    )
    assert table.loc["spred_linear", "accuracy"] == pytest.approx(0.7) and table.loc["lasso", "stability"] == 1
    assert table.loc["lasso", "selected"] == 2 and table.loc["peer", "note"] == "pip install peer"
    cut = [record("long", seed, "n_selected", 600, features="a;b;", symbols="") for seed in range(3)]
    assert gene_tables.stability_table(pd.DataFrame(cut))["stability"].isna().all()


def test_a_missing_peer_and_a_missing_file_are_skipped(tmp_path):
    class Peer(Remembering):
        def check(self):
            raise Skip("pip install peer")

    task = make_task(selector={"peer": Peer()})
    with pytest.raises(Skip, match="pip install peer"):
        list(task.run(task.cells()[1]))
    absent = make_task(data={"gds": Gds(required=False, data_dir=tmp_path)})
    [cell] = absent.cells()
    assert cell.id == "GDS507/protocol=clean"
    with pytest.raises(Skip, match="prepare"):
        list(absent.run(cell))


def test_cells_are_described_once_and_sampled_many_times():
    cells = make_task(selector={"a": Majority(), "b": Majority()}, n_samplings=2, seed=5).cells()
    assert [cell.id for cell in cells] == [
        "expression/protocol=clean",
        *(f"expression/{method}/seed={seed}/protocol=clean" for method in "ab" for seed in (5, 6)),
    ]


def test_the_same_data_twice_is_refused():
    with pytest.raises(ValueError, match="same data set"):
        make_task(data={"one": Gds(), "two": Gds()})


WORDS = ("task=gene_selection", "data=expression_file", "data.expression_file.path=own.csv", "selector=majority")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "words", "message"),
    [
        ("aaaaaaaab", [], "class 'b': 1 of 9 samples"),
        ("aaaaaaaaa", [], "factor 'Y' has one value, a"),
        ("abb", [], "1 of 3 samples"),
        ("abb", ["protocol=paper"], "3 pairs of sample and label"),
        ("aaaaaaaaa", ["protocol=paper"], "all samples have one label, 'Y: a'"),
        ("aaabbb", ["data.expression_file.label=status"], "no column 'status'; it holds Y, id, g1, g2"),
        ("aaabbb", ["protocol.clean.factor=age"], "no such factor; there are 'Y' (a 3, b 3)"),
        ("aaabbb", ["protocol.clean.factor=[age]"], "factor=['age']: no data set has such a factor; known: Y"),
        ("aaabbb", ["protocol.clean.exclude=[c]"], "exclude=['c']: no data set has the class 'c'; known: a, b"),
    ],
)
def test_bad_input_ends_in_one_line_and_nothing_written(cli, tmp_path, labels, words, message):
    lines = ["Y,id,g1,g2", *(f"{label},s{i},{i},{i % 2}" for i, label in enumerate(labels))]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    code, _, err = cli(*WORDS, "data.expression_file.sample=id", *words)
    assert code == 2 and message in err and err.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_other_kinds_of_data_are_refused(cli):
    code, _, err = cli("task=gene_selection", "data=gaussian")
    assert (code, "works on Expression" in err) == (2, True)


@pytest.mark.slow
def test_own_table_runs_and_writes_its_tables(cli, tmp_path):
    rng, lines = np.random.default_rng(0), ["Y,g1,g2,g3,empty,constant"]
    lines += [f"{'ab'[i % 2]},{i % 2 + 0.1 * rng.normal():.3f},{rng.normal():.3f},,,1" for i in range(30)]
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    code, out, _ = cli(*WORDS, "selector=[univariate,majority]", "task.n_samplings=3", "protocol=[clean,paper]")
    assert code == 0 and "14 done" in out
    [run] = (tmp_path / "results" / "gene_selection").iterdir()
    table2, table1 = (pd.read_csv(run / f"{name}.csv") for name in ("table2", "table1"))
    assert table2["features"].tolist() == [2, 2] and table2["left out"].tolist() == [3, 3]
    assert table1["accuracy"].max() == 1 and table1["samplings"].tolist() == [3] * 4
    assert pd.read_csv(run / "genes.csv").iloc[0]["feature"] == "g1"
    assert (run / "gene_accuracy.png").stat().st_size > 5000
