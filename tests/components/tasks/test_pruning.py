"""The task: a kill at any stage changes no row; zeros are counted exactly; what dies is said; tickets and mistakes."""

import numpy as np
import pandas as pd
import pytest
import torch

from spred_bench.components.data.digits import Source
from spred_bench.components.methods import l1, random, spred, weight_decay
from spred_bench.components.methods import str as soft_threshold
from spred_bench.components.models import resnet9
from spred_bench.components.tasks.pruning import Task
from spred_bench.experiments.network_training import Recipe, accuracy
from spred_bench.experiments.pruning import masking, stages
from spred_bench.experiments.splits import to_device
from spred_bench.networks import sparsity
from spred_bench.running import plan, runner
from spred_bench.training import checkpoint

SPRED = {"_target_": "spred_bench.components.methods.spred.Method", "init": "independent", "lr_multiplier": 5}
CONFIG = {
    "data": {"digits": {"_target_": "spred_bench.components.data.digits.Source"}},
    "model": {"mlp": {"_target_": "spred_bench.components.models.mlp.Model", "hidden": 16}},
    "method": {"spred": SPRED, "random": {"_target_": "spred_bench.components.methods.random.Method"}},
    "task": {
        "_target_": "spred_bench.components.tasks.pruning.Task",
        **{"kappas": {"spred": [1e-3], "random": [1e-3]}, "compressions": [1, 20], "ticket_compressions": [20]},
        **{"epochs": 1, "fine_tune_epochs": 0.5, "batch_size": 128, "crop_padding": 1},
    },
    "device": "cpu",
}


def run(folder) -> pd.DataFrame:
    result = runner.run(plan.assemble({**CONFIG, "results_dir": str(folder)}), "test", report=lambda line: None)
    assert result.cells["failed"] == 0
    assert not (result.path / "checkpoints").exists()
    table = pd.read_csv(result.path / "records.csv").drop(columns=["time_s"])
    return table[~table["metric"].str.endswith("_s")].reset_index(drop=True)


class Killed(BaseException):
    pass


@pytest.mark.slow
def test_killed_at_any_stage_the_rows_are_the_same(tmp_path, monkeypatch):
    save, made, deadly = checkpoint.Checkpoints.save, [], set()

    def dying(self, step, state):
        path = save(self, step, state)
        made.append(path)
        if len(made) in deadly:
            raise Killed
        return path

    monkeypatch.setattr(checkpoint.Checkpoints, "due", lambda self, step: step > 0 and step % 4 == 0)
    monkeypatch.setattr(checkpoint.Checkpoints, "save", dying)
    undisturbed = run(tmp_path / "alone")
    assert undisturbed["stage"].unique().tolist() == ["train", "prune", "ticket"]
    deadly.update(range(len(made) + 1, 3 * len(made), 2))
    deaths = 0
    while True:
        try:
            disturbed = run(tmp_path / "killed")
            break
        except Killed:
            deaths += 1
    assert deaths > 8, "several in each training, some right after its last step"
    pd.testing.assert_frame_equal(disturbed, undisturbed)


def make_task(**changes) -> Task:
    chosen = {"data": {"digits": Source()}, "model": {"resnet9": resnet9.Model(width=2)}}
    settings = {"epochs": 1, "fine_tune_epochs": 0.2, "batch_size": 128, "crop_padding": 0, "flip": False}
    chosen |= {"method": {"weight_decay": weight_decay.Method()}, "kappas": {"weight_decay": [1e-3]}}
    return Task(**{**chosen, **settings, "compressions": [10, 1000], **changes})


def rows_of(task: Task) -> pd.DataFrame:
    found = [{**cell.columns(), "status": "done", **row} for cell in task.cells() for row in task.run(cell)]
    known = {"dataset", "method", "seed", "step", "time_s", "split", "metric", "value", "status", "note"}
    assert set().union(*found) <= known | set(task.key_columns)
    return pd.DataFrame(found)


def value(table: pd.DataFrame, metric: str, **where) -> float:
    rows = table[table["metric"] == metric]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    [found] = rows["value"]
    return found


def test_zeros_are_counted_over_weights_and_over_parameters():
    table = rows_of(make_task(thresholds=[0.05]))
    network = resnet9.Model(width=2).build((1, 8, 8), 10, torch.Generator())
    weights = sum(weight.numel() for weight in sparsity.weights_of(network).values())
    others = sparsity.n_parameters(network) - weights
    kept = round(weights / 10)
    assert value(table, "compression_ratio", compression=10) == pytest.approx(weights / kept, rel=2e-3)
    expected = (weights + others) / (kept + others)
    assert value(table, "parameter_compression_ratio", compression=10) == pytest.approx(expected, rel=0.05)
    layers = table[(table["metric"] == "layer_sparsity") & (table["compression"] == 10)]
    assert layers["layer"].tolist() == list(sparsity.weights_of(network))
    by_threshold = table[(table["threshold"] == 0.05) & (table["stage"] == "prune")]
    assert 1 < value(by_threshold, "compression_ratio") < 100
    counts = table[table["metric"] == "weight_count"].groupby("layer")["value"].sum()
    assert sorted(counts, reverse=True) == sorted(w.numel() for w in sparsity.weights_of(network).values())[:-4:-1]


def test_empty_layers_are_named_and_nothing_is_nan():
    table = rows_of(make_task(compressions=[1000], thresholds=[1e9]))
    assert value(table, "n_empty_layers", compression=1000) > 0
    ratio = table[(table["metric"] == "compression_ratio") & (table["compression"] == 1000)]
    assert "no weight left in features." in ratio["note"].item()
    everything = table[(table["threshold"] == 1e9) & (table["stage"] == "prune")].set_index("metric")
    assert everything.loc["compression_ratio", "value"] is None or np.isnan(
        everything.loc["compression_ratio", "value"]
    )
    scores = table[table["metric"].str.endswith("accuracy")]
    assert scores["value"].between(0, 1).all() and (table["status"] == "done").all()


@pytest.mark.parametrize("method", [weight_decay.Method(), l1.Method(), spred.Method(init="independent")])
def test_a_kappa_that_kills_the_network_is_reported(method, capsys):
    table = rows_of(
        make_task(
            method={"m": method},
            kappas={"m": [8.0]},
            zero_threshold=0.05,
            learning_rate=0.01,
            epochs=3,
            compressions=[10],
        )
    )
    assert set(table["status"]) <= {"done", "diverged"}
    assert value(table, "fine_tuned_accuracy", split="test") < 0.2
    assert table.loc[~table["metric"].str.endswith("compression_ratio"), "value"].notna().all()
    if isinstance(method, spred.Method):
        assert "kappa 8 is too large: no weight is above 0.05" in capsys.readouterr().err
        assert (table.loc[table["metric"] == "n_empty_layers", "note"] == "no weight left").all()


def setting() -> stages.Setting:
    recipe = Recipe(3, 64, 0.05, "sgd", "one_cycle", channels_last=True)
    tuning = Recipe(1, 64, 2e-3, "adam", "constant")
    data = to_device(Source().load(0), 0.1, "cpu", standardise=True)
    return stages.Setting(data, resnet9.Model(width=4), recipe, tuning)


def test_training_prunes_and_fine_tuning_repairs():
    how = setting()
    trained = stages.train(how, spred.Method(init="independent", lr_multiplier=5), 5e-4, 0, 1e-6)
    assert trained.status == "done" and trained.curve[-1]["accuracy"] > 0.8
    before = sum(int(weight.count_nonzero()) for weight in sparsity.weights_of(trained.network).values())
    network, kept = masking.pruned(trained.network, spred.Method(), 10)
    damaged = accuracy(network, how.data.dev.images, how.data.dev.labels)
    tuned = stages.train_sparse(how, network, kept, 0, recipe=how.fine_tuning)
    assert tuned.curve[-1]["accuracy"] > max(0.6, damaged + 0.05)
    after = sparsity.weights_of(tuned.network)
    assert sum(int(weight.count_nonzero()) for weight in after.values()) <= before / 9
    assert all((after[name] == 0)[~mask].all() for name, mask in kept.items())


def test_pruned_at_initialisation_it_stays_pruned():
    how = setting()
    trained = stages.train(how, random.Method(), 5e-4, 0, ratio=20)
    weights = sparsity.weights_of(trained.network)
    assert sparsity.compression_ratio(weights.values(), 0.0) == pytest.approx(20, rel=1e-2)
    _, kept = masking.pruned(trained.network, random.Method(), 20)
    assert all(torch.equal(kept[name], weight != 0) for name, weight in weights.items())


@pytest.mark.slow
@pytest.mark.parametrize("method", [weight_decay.Method(), soft_threshold.Method(initial=-4), spred.Method(depth=3)])
def test_rewinding_gives_back_the_effective_weights_of_that_step(method):
    how = setting()
    trained = stages.train(how, method, 0.0, 3, rewind_steps=(0, 7))
    first = how.build(3)[0].state_dict()
    assert set(trained.rewinds) == {0, 7} and trained.rewinds[0].keys() == first.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(trained.rewinds[0][name], tensor, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(trained.rewinds[7]["output.weight"], first["output.weight"])


def test_tickets_have_the_mask_they_should():
    table = rows_of(make_task(compressions=[10], ticket_compressions=[10]))
    sparsities = table[table["metric"] == "layer_sparsity"].pivot_table(index="layer", columns="ticket", values="value")
    tuned = table[(table["metric"] == "layer_sparsity") & (table["stage"] == "prune")].set_index("layer")["value"]
    for kind in ("initial", "early", "random"):
        np.testing.assert_allclose(sparsities[kind].loc[tuned.index], tuned, atol=1e-6)
    scores = table[(table["metric"] == "ticket_accuracy") & (table["split"] == "test")].set_index("ticket")["value"]
    assert scores.nunique() > 1


def test_standardised_by_the_training_rows_alone():
    data = setting().data
    assert data.train.images.mean().abs() < 1e-4 and data.train.images.std() == pytest.approx(1, abs=1e-3)
    assert data.test.images.mean().abs() > 1e-5


@pytest.mark.slow
def test_mistakes_end_in_one_line(cli, tmp_path):
    own = {"x_train": np.zeros((20, 8, 8), np.uint8), "y_train": np.arange(20) % 4}
    np.savez(tmp_path / "own.npz", **own, x_test=own["x_train"], y_test=own["y_train"] + 6)
    code, _, err = cli("task=pruning", "data=image_file", "data.image_file.path=own.npz")
    assert code == 2 and "own.npz: y_test holds class 6" in err and err.count("\n") == 1
    torch.save(resnet9.Model(width=3).build((1, 8, 8), 10, torch.Generator()).state_dict(), tmp_path / "other.pt")
    code, _, err = cli("task=pruning", "scale=smoke", "method=[l1]", "task.warm_start=other.pt")
    assert code == 2 and "task.warm_start=other.pt does not fit ResNet9" in err and err.count("\n") == 1
    code, _, err = cli("task=pruning", "task.compressions=[0.5]")
    assert code == 2 and "task.compressions" in err and err.count("\n") == 1
    code, _, err = cli("task=pruning", "task.ticket_compressions=[7]")
    assert code == 2 and "7" in err and "among the compressions" in err
    code, _, err = cli("task=pruning", "data=cifar10", "data_dir=nowhere")
    assert code == 2 and "prepare data=cifar10" in err and err.count("\n") == 1
    code, _, err = cli("task=pruning", "data=gaussian")
    assert code == 2 and "data=gaussian" in err and "Images" in err


def test_strengths_are_the_table_s_or_the_method_s():
    methods = {"l1": l1.Method(), "spred[depth=3]": spred.Method(depth=3), "spred_nodes": spred.Method()}
    kept = {
        "kappas": {"l1": [0.5], "spred": [0.25, 0.75]},
        "data": {"digits": Source()},
        "model": {"r": resnet9.Model()},
    }
    task = Task(method=methods, **kept)
    assert [task._kappas(name) for name in methods] == [[0.5], [0.25, 0.75], [1e-3, 1e-2]]
    assert Task(method=methods, kappa=0.1, **kept)._kappas("spred_nodes") == [0.1]
    methods["l1"].strengths = ()
    with pytest.raises(ValueError, match=r"no strengths for method=l1; give task\.kappas\.l1"):
        Task(method={"l1": methods["l1"]}, **{**kept, "kappas": {}})
