"""Two processes on one machine make the same training and the same rows as one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from spred_bench.redundancy import parameter_groups, reparametrize
from spred_bench.system import distributed
from spred_bench.training import trainer
from spred_bench.training.batches import Minibatches
from spred_bench.training.callbacks import every, recorder
from spred_bench.training.checkpoint import Checkpoints

FOLLOWING = "import sys; sys.path.insert(0, sys.argv[1]); import test_distributed; test_distributed.both(sys.argv[2])"


def both(folder: str) -> dict[str, dict]:
    """Train two small networks in this process, together with the others if there are any; keep the results."""
    torch.set_num_threads(1)
    distributed.join("cpu")
    results = {"plain": train(nn.Tanh, f"{folder}/plain"), "norm": train(lambda: nn.BatchNorm1d(8), f"{folder}/norm")}
    torch.save(results, f"{folder}/rank{os.environ.get('RANK', '')}.pt")
    return results


def train(middle, checkpoints: str) -> dict:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 8), middle(), nn.Linear(8, 3))
    reparametrize(network)
    generator = torch.Generator().manual_seed(1)
    # Parts of 4 and 3 rows, so that their shares matter; the last batch of an epoch has 6.
    data = torch.randn(41, 6, generator=generator), torch.randint(0, 3, (41,), generator=generator)
    run = trainer.train(
        network,
        torch.optim.SGD(parameter_groups(network, kappa=1e-3, lr=0.1), momentum=0.9),
        lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        Minibatches(*data, batch_size=7),
        epochs=6,
        clip_norm=0.5,
        callbacks=[every(5, recorder(lambda run: {"loss": 0.0 if run.last_loss is None else run.last_loss}))],
        checkpoints=Checkpoints(checkpoints, "key"),
    )
    return {"model": network.state_dict(), "losses": [row["loss"] for row in run.rows], "step": run.step}


def in_two_processes(words: list[str], folder: Path) -> None:
    """Run python with `words` twice, as torchrun would, to the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in "01"
    ]
    for process in running:
        text, _ = process.communicate(timeout=600)
        assert process.returncode == 0, text


@pytest.mark.slow
def test_two_processes_follow_the_path_of_one(tmp_path):
    (tmp_path / "one").mkdir()
    one = both(str(tmp_path / "one"))
    in_two_processes(["-c", FOLLOWING, str(Path(__file__).parent), str(tmp_path)], tmp_path)
    two, follower = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in "01")
    for kind in ("plain", "norm"):
        assert one[kind]["step"] == two[kind]["step"] == 36
        assert follower[kind]["losses"] == two[kind]["losses"]
        assert all(torch.equal(follower[kind]["model"][name], t) for name, t in two[kind]["model"].items())
        assert len(list((tmp_path / kind).glob("*.pt"))) == 1
    torch.testing.assert_close(two["plain"]["losses"], one["plain"]["losses"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(two["plain"]["model"], dict(one["plain"]["model"]), rtol=1e-5, atol=1e-6)
    # Statistics of three or four rows instead of seven: near, and not the same.
    means = [result["norm"]["model"]["1.running_mean"] for result in (one, two)]
    assert 0 < (means[0] - means[1]).abs().max() < 0.1


@pytest.mark.slow
def test_a_run_of_two_processes_has_the_rows_of_one(tmp_path, cli):
    task = ["task=node_sparsity", "scale=smoke", "method=[spred_nodes]", "task.epochs=1", "task.kappas=[1e-3]"]
    assert cli(*task, f"results_dir={tmp_path}/one")[0] == 0
    in_two_processes(["-m", "spred_bench", *task, f"results_dir={tmp_path}/two"], tmp_path)
    paths = [next((tmp_path / folder).glob("*/*/records.csv")) for folder in ("one", "two")]
    one, two = (pd.read_csv(path) for path in paths)
    assert len(one) == len(two) > 10
    exact = ["run_id", "dataset", "method", "seed", "kappa", "metric", "step", "split", "status"]
    pd.testing.assert_frame_equal(one[exact], two[exact])
    learned = one["metric"].isin(["accuracy", "curve_accuracy", "weight_sparsity", "effective_rank"])
    assert (one["value"] - two["value"])[learned].abs().max() < 0.01


def test_alone_everything_is_the_identity():
    assert distributed.world() == 1 and distributed.leads()
    assert distributed.from_first([1, 2]) == [1, 2]
    distributed.join("cpu")
    assert not torch.distributed.is_initialized()


def test_batches_are_split_by_rows_with_their_shares(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    x, y = torch.arange(10).view(5, 2), torch.arange(5)
    shares = []
    for rank, rows in (("0", [0, 1, 2]), ("1", [3, 4])):
        monkeypatch.setenv("RANK", rank)
        part, share = distributed.split((x, y))
        assert part[1].tolist() == rows and torch.equal(part[0], x[rows])
        shares.append(share)
    assert shares == [0.6, 0.4]
    whole = (x[:1], y[:1])
    assert distributed.split(whole) == (whole, 0.5)
    assert distributed.split(None) == (None, 0.5)
