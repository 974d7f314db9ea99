"""A training inside a cell that is told to stop continues at the very step it had reached; nothing of it is lost."""

import os
import signal

import pandas as pd
import pytest
import torch

import counting
from spred_bench.components.tasks import BaseTask
from spred_bench.reporting.rows import Cell
from spred_bench.running import runner
from spred_bench.system import signals
from spred_bench.training.callbacks import at, every, recorder
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.trainer import train


class Training(BaseTask):
    """Two trainings; the signal comes in step 33 of the second, the first time only."""

    key_columns = ("steps_made",)

    def __init__(self, signum=None):
        self.signum = signum

    def summary(self, records):
        """Nothing to print."""

    def cells(self):
        return [Cell("none", "sgd", seed) for seed in (0, 1)]

    def run(self, cell):
        w, made = torch.full((3,), float(cell.seed + 1), requires_grad=True), [0]

        def loss(w, batch):
            made[0] += 1
            return (w**2).sum() + w.sum()

        def stop(run):
            if self.signum and cell.seed == 1:
                os.kill(os.getpid(), self.signum)

        training = train(
            w,
            torch.optim.SGD([w], lr=0.01, momentum=0.9),
            loss,
            None,
            max_steps=60,
            callbacks=[every(10, recorder(lambda run: {"value": run.model.sum()})), at([33], stop)],
            checkpoints=Checkpoints(self.scratch, cell.id),
        )
        rows = [{"step": row["step"], "metric": "sum", "value": row["value"]} for row in training.rows]
        return [*rows, {"metric": "resumes", "value": training.resumes, "steps_made": made[0]}]


def table(folder, signum=None):
    plan = counting.plan(folder, 0, Training(signum))
    with signals.interruptible(signals.STOPPING):
        runner.run(plan, "test", report=lambda line: None)
    return pd.read_csv(plan.path / "records.csv"), plan.path


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_it_continues_at_the_last_step(tmp_path, signum):
    with pytest.raises(signals.Interrupted) as interruption:
        table(tmp_path / "rough", signum)
    assert interruption.value.code == 128 + signum
    rough, path = table(tmp_path / "rough")
    calm, _ = table(tmp_path / "calm")
    ends = rough[rough["metric"] == "resumes"]
    assert ends["value"].tolist() == [0, 1] and ends["steps_made"].tolist() == [60, 26]
    rows = [frame[frame["metric"] == "sum"].drop(columns="run_id") for frame in (rough, calm)]
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    assert not list(path.glob("checkpoints/*"))


def test_a_damaged_checkpoint_costs_some_steps_and_no_rows(tmp_path):
    with pytest.raises(signals.Interrupted):
        table(tmp_path / "rough", signal.SIGTERM)
    (saved,) = (tmp_path / "rough").glob("counting/*/checkpoints/*/step-0000000034.pt")
    saved.write_bytes(saved.read_bytes()[:-5])
    with pytest.warns(UserWarning, match="truncated or damaged"):
        rough, _ = table(tmp_path / "rough")
    assert rough["steps_made"].dropna().tolist() == [60, 60]
    pd.testing.assert_frame_equal(rough, table(tmp_path / "calm")[0], check_exact=True)
