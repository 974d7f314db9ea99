"""The task `pruning` with a target sparsity, a warm start, a decay budget, and networks to take away."""

import pandas as pd
import pytest
import torch

from spred_bench.components.models.resnet9 import Model
from spred_bench.networks import export

SMALL = ("task=pruning", "scale=smoke", "model.resnet9.width=2", "task.n_histograms=0")


def rows(cli, tmp_path, *words) -> pd.DataFrame:
    code, _, err = cli(*SMALL, *words)
    assert code == 0, err
    (path,) = tmp_path.glob("results/pruning/*/records.csv")
    found = pd.read_csv(path)
    path.rename(path.with_suffix(".seen"))
    return found


@pytest.mark.slow
def test_from_a_dense_network_to_a_target_and_onto_disk(cli, tmp_path):
    rows(cli, tmp_path, "method=[weight_decay]", "task.compressions=[1]", "task.export=true")
    (dense,) = tmp_path.glob("results/pruning/*/networks/*/weights.dense.pt")
    words = ["method=[spred]", "method.spred.init=off_balance", "method.spred.target_sparsity=0.9"]
    found = rows(
        cli, tmp_path, *words, f"task.warm_start={dense}", "task.epochs=6", "task.compressions=[1]", "task.export=true"
    )
    train = found[found["stage"] == "train"].set_index("metric")["value"]
    assert abs(train["weight_sparsity"] - 0.9) < 0.002
    assert train["target_zeroed_by_training"] + train["target_zeroed_by_landing"] == pytest.approx(0.9, abs=0.002)
    pruned = found[found["stage"] == "prune"].set_index("metric")
    assert pruned["value"]["small_difference"] < 1e-5
    assert pruned["value"]["csr_bytes"] > pruned["value"]["bitmask_bytes"] > 0
    (path,) = tmp_path.glob(f"results/pruning/*/{pruned['note']['csr_bytes']}/weights.csr.pt")
    tensors = export.load(path)
    network = Model(width=2).build((1, 8, 8), 10, torch.Generator())
    network.load_state_dict(tensors)
    zeros = sum((t == 0).sum().item() for name, t in tensors.items() if t.ndim > 1)
    assert zeros / sum(t.numel() for t in tensors.values() if t.ndim > 1) == pytest.approx(0.9, abs=0.002)


def test_a_run_that_cannot_sparsify_is_refused(cli, tmp_path):
    code, out, err = cli(*SMALL, "method=[spred]", "kappa=1e-6", "task.min_decay_budget=3", "task.compressions=[1]")
    assert code == 1
    for said in ("decay budget", "3 is needed", "kappa 1e-06", "task.min_decay_budget=0 runs it all the same"):
        assert said in out + err


def test_mistakes_end_in_one_line(cli, tmp_path):
    cases = {
        "method.spred.target_sparsity=1.5": "between 0 and 1",
        "method.spred.kappa_off=1.2": "together at most 1",
        "task.warm_start=here.pt": "init=independent, which redraws",
    }
    for word, message in cases.items():
        code, _, err = cli(*SMALL, "method=[spred]", word)
        assert code == 2 and message in err and err.count("\n") == 1
