"""A task killed in the middle of a training, by whatever signal, goes on there, to the rows of an undisturbed run."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import slow_training
from spred_bench.running import composition
from spred_bench.system import pool

NODES = ["task=node_sparsity", "scale=smoke", "method=weight_decay", "model.mlp.activation=relu", "device=cpu"]
COMMANDS = {
    # command, number of trainings, steps of each
    "networks one by one": ([*NODES, "task.stack=1", "task.epochs=6"], 2, 6 * 21),
    "networks together": ([*NODES, "task.epochs=8"], 1, 8 * 21),
    "all strengths together": (
        ["task=lasso_orthogonal", "scale=smoke", "device=cpu", "task.max_steps=200", "task.n_trajectory_steps=20"],
        4,
        200,
    ),
}
PRUNING = [
    *("task=pruning", "scale=smoke", "method=[spred]", "model=[mlp]", "model.mlp.activation=relu", "device=cpu"),
    *("task.epochs=5", "task.fine_tune_epochs=5", "task.compressions=[10]", "task.ticket_compressions=[10]"),
]
# The last two: what the first use of an optimizer and of the images would load in every process anew.
PRELOAD = [
    "slow_training",
    "spred_bench.experiments.stacked_lasso",
    "spred_bench.experiments.nodes",
    "torch._dynamo",
    "sklearn.model_selection",
]


def newest(folder) -> list[tuple[str, int]]:
    """(folder, step) of the checkpoints there are."""
    found = folder.glob("*/*/checkpoints/**/step-*.pt")
    return [(str(path.parent), int(re.search(r"\d+", path.name)[0])) for path in found]


def attempt(config, signum=None, beyond=()) -> pool.ProcessEnd:
    """The run in a process, which gets the signal as soon as there is a checkpoint that was not there before.

    `beyond`: folders of trainings whose checkpoints do not count.
    """
    folder = Path(config["results_dir"])
    known = newest(folder)

    def strike(pid: int) -> None:
        deadline = time.monotonic() + 120
        while all(new in known or new[0] in beyond for new in newest(folder)) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(pid, signum)

    def started(number: int, pid: int) -> None:
        if signum is not None:
            threading.Thread(target=strike, args=(pid,), daemon=True).start()

    [end] = pool.run_all(slow_training.run, [config], 1, preload=PRELOAD, started=started)
    return end


def rows(folder) -> pd.DataFrame:
    """All rows, the measured times left out."""
    [path] = folder.glob("*/*/records.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="time_s")
    return table[~table["metric"].str.endswith("_s")].reset_index(drop=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_three_times_in_the_middle_of_a_cell(name, tmp_path):
    words, n_trainings, n_steps = COMMANDS[name]
    calm, rough = ({**composition.resolved(words), "results_dir": str(tmp_path / kind)} for kind in ("calm", "rough"))
    made = []
    for signum in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR2):
        end = attempt(rough, signum)
        if signum == signal.SIGKILL:
            assert end.exit_code == -signal.SIGKILL
        else:
            code, steps = end.answer
            assert code == 128 + signum
            made.append(steps)
        assert newest(tmp_path / "rough")
    code, steps = attempt(rough).answer
    assert code == 0 and sum(made) + steps < n_trainings * n_steps
    assert attempt(calm).answer == (0, n_trainings * n_steps)
    assert not list(tmp_path.glob("rough/*/*/checkpoints"))
    pd.testing.assert_frame_equal(rows(tmp_path / "rough"), rows(tmp_path / "calm"))
    table = pd.read_csv(*tmp_path.glob("rough/*/*/records.csv"))
    assert (table.loc[table["metric"] == "train_s", "value"] >= n_steps * slow_training.STEP_S).all()


@pytest.mark.slow
def test_pruning_killed_at_each_stage_continues(tmp_path):
    calm, rough = ({**composition.resolved(PRUNING), "results_dir": str(tmp_path / kind)} for kind in ("calm", "rough"))
    seen = set()
    for signum in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        attempt(rough, signum, beyond=seen)
        new = {folder for folder, _ in newest(tmp_path / "rough")} - seen
        assert len(new) == 1
        seen |= new
    assert sum("training-" in folder for folder in seen) == 1
    n_steps = 5 * (5 * 20)  # of the training, the fine-tuning and three tickets
    code, steps = attempt(rough).answer
    assert code == 0 and steps < n_steps
    assert attempt(calm).answer == (0, n_steps)
    pd.testing.assert_frame_equal(rows(tmp_path / "rough"), rows(tmp_path / "calm"))
    assert set(rows(tmp_path / "rough")["stage"]) == {"train", "prune", "ticket"}
