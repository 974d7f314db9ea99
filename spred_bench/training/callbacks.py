"""What a task hands to the trainer: `callback(trainer) -> None | bool`, called before a step.

A callback runs off the clock and under `torch.no_grad` (use `torch.enable_grad` where a certificate needs gradients).

A callback that returns True stops the run. A wrapper says how often a callback runs; without one it runs at every step
and at the end, never twice at one step. If it has `state_dict` and `load_state_dict`, checkpoints carry its state.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from tqdm import tqdm

from spred_bench.training.snapshot import load_tensors, named_tensors

Callback = Callable[..., bool | None]


class When:
    """A callback that runs where `due(trainer)` is true. The clock runs while `due` is asked: keep it cheap."""

    def __init__(self, callback: Callback, due: Callable[..., bool]):
        self.callback, self.due = callback, due

    def __call__(self, trainer) -> bool | None:
        return self.callback(trainer)

    def state_dict(self):
        return self.callback.state_dict() if hasattr(self.callback, "state_dict") else None

    def load_state_dict(self, state) -> None:
        if state is not None:
            self.callback.load_state_dict(state)


def with_frequency(callback: Callback) -> When:
    """As it is if it has a `due`, else due at every step."""
    return callback if hasattr(callback, "due") else When(callback, lambda trainer: True)


def every(steps: int, callback: Callback) -> When:
    """At steps 0, `steps`, 2 `steps`, ... and at the end."""
    if steps < 1:
        raise ValueError(f"every({steps}): must be at least 1")
    return When(callback, lambda trainer: trainer.step % steps == 0 or trainer.finished)


def every_epoch(callback: Callback) -> When:
    """Before the first step, after each epoch, and at the end."""
    return When(callback, lambda trainer: trainer.step % trainer.batches.steps_per_epoch == 0 or trainer.finished)


def at(steps: Iterable[int], callback: Callback) -> When:
    """At these steps exactly."""
    chosen = frozenset(int(step) for step in steps)
    return When(callback, lambda trainer: trainer.step in chosen)


def recorder(measure: Callable[..., dict]) -> Callback:
    """A callback that adds `measure(trainer)`, a dict of metrics, to `trainer.rows` with step and time."""
    return lambda trainer: trainer.record(**measure(trainer))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode without gradients; afterwards each submodule is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for module, training in modes:
            module.training = training


class KeepBest:
    """Remembers the tensors of the highest `score(trainer) -> float`; the earliest of equals, never a NaN.

    patience: stop the run after this many scores in a row without a better one; None never stops it.
    `restore(model)`, called after training, puts the remembered tensors back.
    """

    def __init__(self, score: Callable[..., float], patience: int | None = None):
        self.score, self.patience = score, patience
        self.best_score, self.best_step, self.waited, self.tensors = float("-inf"), None, 0, {}

    def __call__(self, trainer) -> bool:
        score = float(self.score(trainer))
        if score > self.best_score:
            self.best_score, self.best_step, self.waited = score, trainer.step, 0
            self.tensors = {name: t.clone() for name, t in named_tensors(trainer.model).items()}
        else:
            self.waited += 1
        return self.patience is not None and self.waited >= self.patience

    def restore(self, model: nn.Module) -> None:
        """RuntimeError if there was no score to remember."""
        if self.best_step is None:
            raise RuntimeError("no score so far was a number: there is nothing to restore")
        load_tensors(model, self.tensors)

    def state_dict(self) -> dict:
        return {k: v for k, v in vars(self).items() if k not in ("score", "patience")}

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


class Progress:
    """A bar on a terminal, a line now and then elsewhere (log files, continuous integration)."""

    again_at_end = True  # even if it ran at that step already: the bar must be closed

    def __init__(self, label: str = "", every_s: float = 30.0, stream=None):
        self.label, self.stream = label, stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self.every_s = 0.2 if self.is_terminal else every_s
        self._last_s, self._bar = time.monotonic(), None

    def due(self, trainer) -> bool:
        """Whether the line should be written again."""
        if trainer.step == trainer.max_steps and not trainer.finished:
            return False  # in a moment it is known how it ended
        return trainer.finished or time.monotonic() - self._last_s >= self.every_s

    def __call__(self, trainer) -> None:
        self._last_s = time.monotonic()
        loss = float("nan") if trainer.last_loss is None else float(trainer.last_loss)
        if self.is_terminal:
            self._show_bar(trainer, loss)
        else:
            done = f"step {trainer.step}/{trainer.max_steps}  loss {loss:.4g}  {trainer.elapsed_s:.1f} s"
            print(self.label, done, trainer.status or "", file=self.stream, flush=True)

    def _show_bar(self, trainer, loss: float) -> None:
        if self._bar is None:
            self._bar = tqdm(desc=self.label, total=trainer.max_steps, file=self.stream, leave=False)
        self._bar.n = trainer.step
        self._bar.set_postfix_str(f"loss {loss:.4g}")
        if trainer.finished:
            self._bar.close()
            self._bar = None
