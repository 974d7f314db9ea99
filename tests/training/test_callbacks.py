"""Callbacks run when they should, keep the best weights, show progress."""

import io

import pytest
import torch
from torch import nn

from spred_bench.training.batches import Minibatches
from spred_bench.training.callbacks import KeepBest, Progress, at, evaluating, every, every_epoch
from spred_bench.training.trainer import train


def quadratic(w, batch):
    return (w * w).sum()


def descend(batches=None, **options):
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    return train(w, torch.optim.SGD([w], lr=0.1), quadratic, batches, **options)


def test_callbacks_run_before_each_step_and_once_at_the_end():
    seen = {}

    def note(name):
        return lambda run: seen.setdefault(name, []).append(run.step)

    data = Minibatches(torch.zeros(6), batch_size=2)
    callbacks = [
        note("plain"),
        every(2, note("every")),
        at([1, 4], note("at")),
        every_epoch(note("epoch")),
    ]
    descend(data, max_steps=5, callbacks=callbacks)
    assert seen == {
        "plain": [0, 1, 2, 3, 4, 5],
        "every": [0, 2, 4, 5],
        "at": [1, 4],
        "epoch": [0, 3, 5],
    }


def test_keep_best_restores_the_best_and_stops_after_patience():
    scores = [0.1, 0.5, float("nan"), 0.5, 0.4, 0.9]
    best = KeepBest(lambda run: scores[run.step], patience=3)
    seen = []
    run = descend(max_steps=5, callbacks=[lambda run: seen.append(run.model.tolist()), best])
    assert (run.status, run.step, best.best_step, best.best_score) == ("done", 4, 1, 0.5)
    best.restore(run.model)
    assert run.model.tolist() == seen[1]
    with pytest.raises(RuntimeError, match="nothing to restore"):
        KeepBest(float).restore(run.model)


def test_evaluating_puts_each_mode_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    model[2].eval()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not model(torch.ones(3, 2)).requires_grad
    assert [module.training for module in model] == [True, True, False] and model.training


def test_progress_prints_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    descend(max_steps=2, callbacks=[Progress("lasso", every_s=1e-9, stream=stream)])
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("lasso step 0/2  loss nan") and "step 2/2" in lines[2] and "done" in lines[2]
    stream = io.StringIO()
    descend(max_steps=2, callbacks=[Progress(every_s=1e9, stream=stream)])
    assert len(stream.getvalue().splitlines()) == 1


def test_progress_shows_a_bar_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    progress = Progress("lasso", stream=stream)
    progress.every_s = 0
    descend(max_steps=2, callbacks=[progress])
    assert "lasso" in stream.getvalue() and "2/2" in stream.getvalue()
    assert progress._bar is None
    descend(max_steps=9, callbacks=[progress], until=lambda run: run.step == 1)
    assert progress._bar is None
