"""A training that was stopped, however, and started again ends bit-equal to one that was not."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from paths import ROOT
from spred_bench.errors import CheckpointMismatch
from spred_bench.system import signals
from spred_bench.training import schedules
from spred_bench.training.batches import Minibatches
from spred_bench.training.callbacks import KeepBest, at, every, recorder
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.trainer import Trainer

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3, history_size=4),
}
SCHEDULES = {"none": None, "cosine": schedules.cosine(warmup=5), "one_cycle": schedules.one_cycle()}


def training(folder=None, optimizer="sgd", schedule="one_cycle", stop_at=None, width=8, key="key", **options):
    """All that is random: dropout, shuffling, augmentation, numpy; and all that has a state."""
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(50, 5, generator=generator), torch.randint(0, 3, (50,), generator=generator)
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 3))
    numbers = np.random.default_rng(1)

    def noisy(batch, generator):
        x = batch[0]
        return x + 0.1 * torch.randn(x.shape, generator=generator), batch[1]

    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1]) * float(numbers.uniform(0.9, 1.1))

    def measure(run):
        return {"loss": run.last_loss, "noise": numbers.normal(), "weight": run.model[0].weight.sum()}

    best = KeepBest(lambda run: -float(run.model[0].weight.abs().sum()))
    callbacks = [every(5, recorder(measure)), every(3, best)]
    if stop_at is not None:
        callbacks.append(at([stop_at], lambda run: os.kill(os.getpid(), signal.SIGTERM)))
    else:
        callbacks.append(at([], lambda run: None))
    return Trainer(
        model,
        OPTIMIZERS[optimizer](model.parameters()),
        loss,
        Minibatches(X, y, batch_size=8, seed=3, transform=noisy),
        **{"max_steps": 40, "check_every": 7} | options,
        callbacks=callbacks,
        schedule=SCHEDULES[schedule],
        checkpoints=Checkpoints(folder, key) if folder else None,
        generators=[numbers],
    )


def outcome(run):
    rows = [{k: v for k, v in row.items() if k != "time_s"} for row in run.rows]
    best = run._callbacks[1].callback
    return run.status, run.step, repr(rows), best.best_step, best.best_score


def assert_same(one, other):
    assert outcome(one) == outcome(other)
    for a, b in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def interrupt(folder, step, **options):
    with signals.interruptible(), pytest.raises(signals.Interrupted) as error:
        training(folder, stop_at=step, **options).run()
    assert error.value.code == 143


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_interrupted_twice_and_resumed_is_bit_equal(tmp_path, optimizer, schedule):
    kinds = {"optimizer": optimizer, "schedule": schedule}
    undisturbed = training(**kinds).run()
    after = torch.rand(3)
    interrupt(tmp_path, 12, **kinds)
    interrupt(tmp_path, 27, **kinds)
    resumed = training(tmp_path, **kinds).run()
    assert torch.equal(torch.rand(3), after)
    assert resumed.resumes == 2
    assert_same(resumed, undisturbed)


def test_divergence_is_the_same_after_resuming(tmp_path):
    undisturbed = training(optimizer="sgd", max_steps=40)
    resumed = training(tmp_path)
    for run in (undisturbed, resumed):
        inner, counter = run.forward.loss, run

        def late_nan(model, batch, inner=inner, run=counter):
            return inner(model, batch) * (float("nan") if run.step >= 24 else 1.0)

        run.forward.loss = late_nan
    undisturbed.run()
    interrupt(tmp_path, 17)
    resumed.run()
    assert outcome(undisturbed)[:2] == ("diverged", 21)
    assert_same(resumed, undisturbed)


def test_a_finished_training_is_not_repeated(tmp_path):
    first = training(tmp_path).run()
    again = training(tmp_path)
    again._call_due = again._advance = None  # would fail if it trained or measured
    again.run()
    assert again.elapsed_s == first.elapsed_s > 0
    assert_same(again, first)


def test_time_adds_up_over_segments(tmp_path):
    interrupt(tmp_path, 12)
    before = Checkpoints(tmp_path, "key").load()["elapsed_s"]
    assert 0 < before < training(tmp_path).run().elapsed_s


def test_saves_by_steps_and_falls_back_from_a_damaged_one(tmp_path):
    undisturbed = training().run()
    checkpoints = Checkpoints(tmp_path, "key", every_steps=10, every_s=None)
    run = training(tmp_path)
    run.checkpoints = checkpoints
    run.run()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-0000000030.pt", "step-0000000040.pt"]
    (tmp_path / "step-0000000040.pt").write_bytes(b"spred-checkpoint-1 truncat")
    resumed = training(tmp_path)
    with pytest.warns(UserWarning, match="step-0000000040"):
        resumed.run()
    assert resumed.resumes == 1
    assert_same(resumed, undisturbed)


def test_checkpoints_of_something_else_are_refused(tmp_path):
    interrupt(tmp_path, 12)
    with pytest.raises(CheckpointMismatch, match="configuration key, this is other"):
        training(tmp_path, key="other").run()
    with pytest.raises(CheckpointMismatch, match=r"'0\.weight' is .*; remove the folder to start over"):
        training(tmp_path, width=9).run()
    with pytest.raises(CheckpointMismatch, match=r"another training: SGD.*; this: Adam"):
        training(tmp_path, optimizer="adam").run()


def test_without_checkpoints_a_signal_stops_at_the_step_boundary():
    run = training(stop_at=12)
    with signals.interruptible(), pytest.raises(signals.Interrupted):
        run.run()
    assert run.step == 13 and not run.stopwatch.running


SCRIPT = """
    import os, signal, sys, time
    import torch
    from spred_bench.system import signals
    from spred_bench.training.batches import Minibatches
    from spred_bench.training.callbacks import at
    from spred_bench.training.checkpoint import Checkpoints
    from spred_bench.training.trainer import train

    folder, action = sys.argv[1:]
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

    def act(run):
        if action == "wait" and run.resumes == 0:
            print("ready", flush=True)
            while signals.requested() is None:
                time.sleep(0.01)
        elif action == "die" and run.resumes == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with signals.interruptible():
        train(
            model,
            torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            lambda model, batch: model(batch[0]).square().mean(),
            Minibatches(torch.randn(40, 5), batch_size=8),
            max_steps=60,
            callbacks=[at([22, 47], act)],
            checkpoints=Checkpoints(folder, "key", every_steps=10),
        )
    torch.save(model.state_dict(), sys.stdout.buffer)
"""


@pytest.mark.slow
def test_processes_ended_by_signals_continue_bit_equal(tmp_path):
    def process(folder, action):
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / folder), action]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **pipes, cwd=ROOT, env=environment)

    stopped = process("run", "wait")
    assert stopped.stdout.readline() == b"ready\n"
    stopped.terminate()
    _, messages = stopped.communicate(timeout=60)
    assert stopped.returncode == 143
    assert b"SIGTERM: stopping" in messages and b"Traceback" not in messages
    killed = process("run", "die")
    undisturbed = process("alone", "none")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    resumed = process("run", "none")
    assert resumed.communicate(timeout=60)[0] == undisturbed.communicate(timeout=60)[0] != b""
    assert resumed.returncode == undisturbed.returncode == 0
