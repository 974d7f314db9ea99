"""Selection on dev, and the sigmoid."""

import numpy as np
import pandas as pd
import pytest

from spred_bench.reporting.tables import frontier


def records() -> pd.DataFrame:
    """Two kappas and seeds; the second kappa is better on dev at 100 and worse at 10, on test the other way round."""
    found = []
    for kappa, dev, test in (
        (1e-4, {10: 0.9, 100: 0.4}, {10: 0.5, 100: 0.8}),
        (1e-3, {10: 0.8, 100: 0.6}, {10: 0.7, 100: 0.5}),
    ):
        for seed in (0, 1):
            for ratio in (10, 100):
                keys = {"dataset": "d", "model": "m", "method": "l1", "kappa": kappa, "seed": seed, "stage": "prune"}
                keys |= {"compression": ratio, "n_classes": 10, "status": "done", "run_id": "first"}
                found += [{**keys, "metric": "fine_tuned_accuracy", "split": "dev", "value": dev[ratio] + 0.02 * seed}]
                found += [{**keys, "metric": "fine_tuned_accuracy", "split": "test", "value": test[ratio]}]
                found += [
                    {**keys, "metric": "compression_ratio", "split": None, "value": ratio if kappa < 1e-3 else None}
                ]
    return pd.DataFrame(found)


def test_kappa_is_chosen_on_dev_alone_at_each_compression():
    table = frontier.cells(records())
    assert len(table) == 8 and table["ratio"].notna().all()
    chosen = frontier.chosen_on_dev(table).set_index("compression")
    assert chosen.loc[10, "kappa"].unique() == [1e-4] and chosen.loc[100, "kappa"].unique() == [1e-3]
    summary = frontier.by_method(records())
    assert summary[["10x", "100x"]].iloc[0].tolist() == [0.5, 0.5]


def test_networks_that_diverged_are_left_out():
    table = records()
    table.loc[table["kappa"] == 1e-3, "status"] = "diverged"
    assert frontier.cells(table)["kappa"].unique() == [1e-4]
    assert frontier.by_method(table.assign(status="diverged")).empty


def test_runs_that_rows_do_not_tell_apart_have_their_id():
    shorter = records().assign(value=0.1, run_id="second")
    table = frontier.cells(pd.concat([records(), shorter]))
    assert table["method"].unique().tolist() == ["l1, run first", "l1, run second"]
    assert table[["method", "dev"]].groupby("method")["dev"].max().tolist() == pytest.approx([0.92, 0.1])


def test_a_run_repeated_with_the_same_outcome_counts_once():
    table = frontier.cells(pd.concat([records(), records().assign(run_id="second")]))
    assert len(table) == 8 and table["method"].unique().tolist() == ["l1"]


def test_learning_rate_is_chosen_on_dev_with_kappa():
    rows = records()
    better_at_ten = rows["value"].where(rows["compression"] == 100, rows["value"] + 0.05)
    table = pd.concat([rows.assign(learning_rate=0.1), rows.assign(learning_rate=0.3, value=better_at_ten - 0.01)])
    chosen = frontier.chosen_on_dev(frontier.cells(table)).groupby("compression")["learning_rate"].unique()
    assert chosen.map(list).to_dict() == {10: [0.3], 100: [0.1]}


def test_chance_is_that_of_each_data_set():
    x = np.array([1, 10, 100, 1000, 10000])
    rows = [
        {"dataset": data, "model": "m", "method": "l1", "kappa": 0.1, "seed": 0, "stage": "prune", "status": "done"}
        | {
            "run_id": "only",
            "compression": ratio,
            "n_classes": n,
            "metric": "fine_tuned_accuracy",
            "split": split,
            "value": value,
        }
        for data, n in (("ten", 10), ("hundred", 100))
        for ratio, value in zip(x, frontier.Sigmoid(0.9, 60.0, 3.0)(x, 1 / n), strict=True)
        for split in ("dev", "test")
    ]
    rows += [{**row, "metric": "compression_ratio", "split": None, "value": row["compression"]} for row in rows]
    midpoints = frontier.by_method(pd.DataFrame(rows)).set_index("dataset")["half lost at"]
    assert midpoints.to_numpy() == pytest.approx([60, 60], rel=1e-3)


@pytest.mark.parametrize("true", [frontier.Sigmoid(0.9, 60.0, 3.0), frontier.Sigmoid(0.7, 8.0, 5.0)])
def test_the_sigmoid_finds_what_made_the_points(true):
    x = np.array([1, 3, 10, 30, 100, 300, 1000])
    fit = frontier.fit_sigmoid(x, true(x, 0.1), 0.1)
    assert np.allclose(fit, true, rtol=1e-3)
    assert fit(fit.midpoint, 0.1) == pytest.approx((0.1 + fit.top) / 2)


def test_no_sigmoid_through_too_few_points_or_chance():
    assert frontier.fit_sigmoid([1, 10, 100], [0.9, 0.5, 0.1], 0.1) is None
    assert frontier.fit_sigmoid([1.01, 1.02, 1.03, 10, 100], [0.9, 0.9, 0.9, 0.5, 0.1], 0.1) is None
    assert frontier.fit_sigmoid([1, 10, 100, 1000], [0.1] * 4, 0.1) is None
