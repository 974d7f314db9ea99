"""The task: same seed same rows, alone or stacked, and bad input that ends well."""

import numpy as np
import pandas as pd
import pytest
import torch

from spred_bench.components.data.digits import Source
from spred_bench.components.methods import group_lasso, snip, spred, spred_filters
from spred_bench.components.methods import str as soft_threshold
from spred_bench.components.methods.weight_decay import Method
from spred_bench.components.models import resnet9
from spred_bench.components.models.mlp import Model
from spred_bench.components.tasks.node_sparsity import Task
from spred_bench.experiments import nodes, splits
from spred_bench.experiments.network_training import Recipe
from spred_bench.experiments.nodes import Criteria
from spred_bench.reporting.plots import node_sparsity as plot
from spred_bench.reporting.rows import Cell
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.trainer import Trainer

CRITERIA = Criteria(1e-4, 1e-3, [1e-4])


def make_task(**changes) -> Task:
    settings = {"kappas": [1e-3, 1e-1], "epochs": 2, "batch_size": 64, "learning_rate": 1e-2}
    chosen = {"data": {"digits": Source()}, "model": {"mlp": Model(hidden=16)}, "method": {"weight_decay": Method()}}
    return Task(**{**chosen, **settings, **changes})


def rows_of(task: Task) -> pd.DataFrame:
    found = [{**cell.columns(), "status": "done", **row} for cell in task.cells() for row in task.run(cell)]
    assert set().union(*found) <= {"dataset", "method", "seed", *task.key_columns} | {
        *("step", "time_s", "split", "metric", "value", "status")
    }
    return pd.DataFrame(found)


def value(table: pd.DataFrame, metric: str, kappa: float, **where) -> float:
    rows = table[(table["metric"] == metric) & np.isclose(table["kappa"], kappa)]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    [found] = rows["value"]
    return found


@pytest.mark.parametrize("stack", [1, 2])
def test_same_seed_same_rows(stack):
    tables = [rows_of(make_task(stack=stack)).drop(columns="time_s") for _ in range(2)]
    tables = [table[~table["metric"].str.endswith("_s")].reset_index(drop=True) for table in tables]
    pd.testing.assert_frame_equal(*tables)
    other = rows_of(make_task(stack=stack, seed=1))
    assert value(other, "accuracy", 1e-3, split="test") != value(tables[0], "accuracy", 1e-3, split="test")


def test_stacked_or_alone_the_rows_agree():
    together, alone = rows_of(make_task(stack="auto")), rows_of(make_task(stack=1))
    assert together["kappas"].unique().tolist() == ["0.001 0.1"]
    assert alone["kappas"].unique().tolist() == ["0.001", "0.1"]
    for kappa in (1e-3, 1e-1):
        for metric in ("node_sparsity", "weight_sparsity"):
            assert value(together, metric, kappa) == pytest.approx(value(alone, metric, kappa), abs=0.02)
        expected = value(alone, "accuracy", kappa, split="test")
        assert value(together, "accuracy", kappa, split="test") == pytest.approx(expected, abs=0.02)


def test_large_products_are_trained_one_by_one():
    task = make_task(model={"mlp": Model(hidden=1000)}, n_seeds=2)
    assert len(task.cells()) == 4
    assert make_task(model={"mlp": Model(hidden=1000)}, device="cuda").cells()[0].keys["kappas"] == "0.001 0.1"


@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_a_kappa_that_kills_everything_ends_at_chance(activation):
    task = make_task(kappas=[10.0], epochs=20, model={"mlp": Model(hidden=16, activation=activation)})
    table = rows_of(task)
    assert set(table["status"]) == {"done"}
    assert table["value"].notna().all() and np.isfinite(table["value"]).all()
    assert value(table, "node_sparsity", 10.0) == 1.0
    assert value(table, "n_nodes", 10.0) == 0 and value(table, "removed_n_parameters", 10.0) == 0
    assert value(table, "effective_rank", 10.0) == 0.0
    for split in ("train", "test"):
        assert value(table, "removed_accuracy", 10.0, split=split) == pytest.approx(0.1, abs=0.02)
    assert len(task.summary(table)) == 1


def test_diverged_networks_are_counted_and_not_drawn():
    table = rows_of(make_task(kappas=[1e-3, 1e-2, 1e-1]))
    expected = make_task().summary(table[table["kappa"] != 1e-1])
    table.loc[table["kappa"] == 1e-1, "status"] = "diverged"
    summary = make_task().summary(table)
    assert summary["diverged"].tolist() == [0, 0, 1]
    pd.testing.assert_series_equal(summary["slope"].head(2), expected["slope"])
    figure = plot.draw(table)
    assert figure.axes[1].lines[0].get_xdata().tolist() == [1e-3, 1e-2]
    table["status"] = "diverged"
    assert len(make_task().summary(table)) == 3 and plot.draw(table) is None


def test_a_diverged_training_keeps_the_last_finite_step():
    table = rows_of(make_task(kappas=[1e-3], learning_rate=1e30, stack=1))
    assert set(table["status"]) == {"diverged"}
    assert np.isfinite(table["value"]).all()
    assert value(table, "train_s", 1e-3) >= 0 and table["step"].max() == 0


def train_one_that_diverges(**more) -> list[nodes.TrainedAtKappa]:
    data = splits.to_device(Source().load(0), 0.1, "cpu")
    model = Model(hidden=8, bias="none")
    recipe = Recipe(epochs=2, batch_size=64, learning_rate=0.1, optimizer="sgd")
    return nodes.train_all(model, Method(), [1e-3, 1e6], data, recipe, 0, CRITERIA, 0.0, **more)


def test_one_network_that_diverges_does_not_take_its_stack_along():
    trained = train_one_that_diverges()
    assert [network.status for network in trained] == ["done", "diverged"]
    assert [network.together for network in trained] == [1, 1]
    assert all(p.isfinite().all() for network in trained for p in network.network.parameters())


def test_trainings_of_a_cell_that_are_finished_are_not_repeated(tmp_path, monkeypatch):
    kept = {"checkpoints": lambda name: Checkpoints(tmp_path / name, "cell")}
    first = train_one_that_diverges(**kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kappa=0.001", "kappa=1000000.0", "together"]
    monkeypatch.setattr(Trainer, "_advance", None)
    again = train_one_that_diverges(**kept)
    for one, other in zip(first, again, strict=True):
        assert (one.status, one.step, one.train_s, one.curve) == (other.status, other.step, other.train_s, other.curve)
        assert all(map(torch.equal, one.network.parameters(), other.network.parameters()))


def test_weight_decay_kills_nodes_and_spred_leaves_exact_zeros():
    from spred_bench.components.methods.spred import Method as Spred

    spred = Spred(names="hidden.weight", group=-1)
    task = make_task(kappas=[0.03], epochs=40, method={"weight_decay": Method(), "spred_nodes": spred})
    swish = {"mlp": Model(hidden=16, activation="swish")}
    table = rows_of(make_task(kappas=[0.03], epochs=40, method=task.method, model=swish))
    plain, sparse = (table[table["method"] == method] for method in ("weight_decay", "spred_nodes"))
    assert 0.1 < value(plain, "node_sparsity", 0.03) < 1.0
    assert value(sparse, "n_nodes", 0.03) < 10
    for rows in (plain, sparse):
        assert value(rows, "removed_difference", 0.03) < 1e-5
        assert value(rows, "removed_accuracy", 0.03, split="test") > 0.8


def test_patience_stops_each_network_at_its_best():
    wide = {"epochs": 30, "learning_rate": 0.1, "kappas": [1e-3, 1e-2]}
    whole, early = rows_of(make_task(**wide)), rows_of(make_task(**wide, patience=2))
    for kappa in wide["kappas"]:
        curve = whole[(whole["metric"] == "curve_accuracy") & (whole["kappa"] == kappa)]
        end = early[(early["metric"] == "accuracy") & (early["split"] == "dev") & (early["kappa"] == kappa)]
        assert 0 < end["step"].item() < curve["step"].max()
        seen = early[(early["metric"] == "curve_accuracy") & (early["kappa"] == kappa)]
        assert seen["step"].max() > end["step"].item() and end["value"].item() >= seen["value"].max()
    assert (early.loc[early["metric"] == "trained_together", "value"] == 1).all()
    with pytest.raises(ValueError, match="stack=2 trains as one, but patience"):
        make_task(stack=2, patience=1)


@pytest.mark.parametrize(
    ("method", "together"),
    [
        (spred.Method(names="hidden.weight", group=-1), True),
        (spred.Method(names="hidden.weight", group="output"), False),
        (spred.Method(names="hidden.weight", init="independent"), False),
        (spred.Method(names="hidden.weight", kappa_warmup=0.5), False),
        (spred.Method(), False),
        (spred_filters.Method(), False),
        (group_lasso.Method(names="hidden.weight", dim=1), False),
        (soft_threshold.Method(), False),
    ],
)
def test_only_methods_that_act_on_a_stack_as_on_each_are_stacked(method, together):
    assert len(make_task(method={"m": method}).cells()) == (1 if together else 2)
    if not together:
        with pytest.raises(ValueError, match="stack=2: method=m trains one at a time"):
            make_task(method={"m": method}, stack=2)


def test_a_method_that_moves_kappa_is_listened_to():
    def zeros(**options):
        method = {"spred": spred.Method(init="independent", **options)}
        return value(rows_of(make_task(method=method, kappas=[1.0])), "weight_sparsity", 1.0)

    assert zeros() > 0.4 and zeros(kappa_off=1.0) < 0.1


def test_what_the_task_cannot_do_is_refused_before_it_begins():
    for change, message in (
        ({"method": {"snip": snip.Method()}}, "method=snip prunes before the training"),
        ({"method": {"spred": spred.Method(target_sparsity=0.9)}}, "target_sparsity, but kappa is given"),
        ({"model": {"resnet9": resnet9.Model(width=4)}}, "model=resnet9 has no hidden layer"),
        ({"kappas": [1e-3, 1e-3]}, "holds one of them twice"),
    ):
        with pytest.raises(ValueError, match=message):
            make_task(**change)


def test_cells_name_what_trains_together():
    cell = make_task(kappas=[1e-3, 0.1]).cells()[0]
    assert isinstance(cell, Cell) and cell.id == "digits/weight_decay/seed=0/model=mlp/kappas=0.001 0.1"
    assert make_task(kappa=0.5).cells()[0].keys["kappas"] == "0.5"


@pytest.mark.slow
def test_mistakes_end_in_one_line(cli):
    code, _, err = cli("task=node_sparsity", "scale=smoke", "model.mlp.activation=cubic")
    assert code == 2 and "model.mlp.activation" in err and "'gelu'" in err and err.count("\n") == 1
    code, _, err = cli("task=node_sparsity", "data=gaussian")
    assert code == 2 and "data=gaussian" in err and "Images" in err
    code, _, err = cli("task=node_sparsity", "data=mnist", "data_dir=nowhere")
    assert code == 2 and "prepare data=mnist" in err and "data_dir" in err and err.count("\n") == 1
    code, _, err = cli("task=lasso_scaling", "data=digits")
    assert code == 2 and "Regression" in err
    code, _, err = cli("task=node_sparsity", "task.kappas=[-1]")
    assert code == 2 and "kappas" in err
