"""The only gradient-descent loop: any torch optimizer, full batch or minibatches, exact resuming.
Tasks pass a loss, batches and callbacks; they never edit the loop.

    w = torch.zeros(d, requires_grad=True)
    run = train(w, torch.optim.SGD([w], lr=0.1), lambda w, batch: loss(w), None, max_steps=1000,
                callbacks=[every(100, recorder(lambda run: {"objective": float(loss(run.model))}))])
    run.status, run.rows, run.elapsed_s
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from spred_bench.system import activity, distributed, signals
from spred_bench.system.device import FlushDenormals
from spred_bench.system.stopwatch import Stopwatch
from spred_bench.training.batches import as_batches
from spred_bench.training.callbacks import Callback, When, with_frequency
from spred_bench.training.checkpoint import Checkpoints, random_state, set_random_state
from spred_bench.training.forward import Forward
from spred_bench.training.schedules import Schedule
from spred_bench.training.snapshot import LastFinite, load_tensors, named_tensors

PROGRESS = ("step", "status", "rows", "resumes", "last_loss")  # what a checkpoint keeps of the fields below


def train(*arguments: Any, **options: Any) -> "Trainer":
    """`Trainer(...).run()`: train, and return the trainer with its status, rows and time."""
    return Trainer(*arguments, **options).run()


@dataclass(eq=False, repr=False)
class Trainer:
    """One training. A callback gets it as its argument; after `run()` it is the result.

    status (None while running):
    - done: the fixed number of steps is complete, or `until` or another callback returned True;
    - max_steps: there is a criterion `until`, and the steps ran out before it was met;
    - diverged: the loss or a parameter became inf or NaN. Checked at the end and each `check_every` steps,
      the only wait for the device. Model and `step` go back to the last checked parameters with a finite
      loss, and rows from there on are dropped. Networks trained as a sum diverge together;
    - timeout: the stopwatch has passed `time_limit_s`.

    Inside `signals.interruptible()` a signal ends the training with signals.Interrupted, after a last checkpoint.
    """

    model: Any  # module, tensor, or dict or sequence of tensors: what is checkpointed and passed to the loss
    optimizer: Optimizer | Sequence[Optimizer]  # several step on the same gradients; L-BFGS only alone
    loss: Callable[[Any, Any], Tensor]  # loss(model, batch) -> scalar
    batches: Any  # batches.Minibatches or the like; anything else, None too, is the one full batch
    _: KW_ONLY
    max_steps: int | None = None
    epochs: float | None = None  # instead of max_steps
    callbacks: Sequence[Callback] = ()
    until: Callback | None = None  # the convergence criterion: a callback like the others, run after them
    schedule: Schedule | None = None  # see schedules.py; None leaves the rate alone
    clip_norm: float | None = None  # one norm over all parameters: couples networks that are trained together
    autocast: str | torch.dtype | None = None  # "bfloat16" or None
    channels_last: bool = False  # for a module and its 4-dimensional inputs
    compile: bool | str = False  # of model and loss together; a string names the backend
    time_limit_s: float = math.inf
    check_every: int = 100
    checkpoints: Checkpoints | None = None
    generators: Sequence[Any] = ()  # of numpy or torch, used by loss or callbacks: checkpointed too
    stopwatch: Stopwatch | None = None  # pass one to add up the time of several trainings

    status: str | None = field(default=None, init=False)
    step: int = field(default=0, init=False)  # optimizer steps made so far
    last_loss: Tensor | None = field(default=None, init=False)  # before the last update; reading it waits
    rows: list[dict] = field(default_factory=list, init=False)  # what `record` was given; checkpointed
    resumes: int = field(default=0, init=False)
    warmup_s: float = field(default=0.0, init=False)  # compilation, outside the clock

    def __post_init__(self):
        self.batches = as_batches(self.batches)
        if (self.max_steps is None) == (self.epochs is None):
            raise ValueError("give either max_steps or epochs")
        if self.max_steps is None:
            self.max_steps = round(self.epochs * self.batches.steps_per_epoch)
            if self.epochs and not self.max_steps:
                raise ValueError(f"epochs={self.epochs:g} of {self.batches.steps_per_epoch} steps each: no step at all")
        if self.max_steps < 0 or self.check_every < 1:
            raise ValueError(f"max_steps={self.max_steps}, check_every={self.check_every}: out of range")
        self.optimizers = [self.optimizer] if isinstance(self.optimizer, Optimizer) else list(self.optimizer)
        if len(self.optimizers) > 1 and any(isinstance(o, LBFGS) for o in self.optimizers):
            raise ValueError("L-BFGS moves several times in a step: it cannot share one with others")
        self._parameters = [p for o in self.optimizers for group in o.param_groups for p in group["params"]]
        self._schedulers = [self.schedule(o, self.max_steps) for o in self.optimizers if self.schedule]
        self._callbacks = [with_frequency(callback) for callback in (*self.callbacks, self.until) if callback]
        if self.channels_last and isinstance(self.model, nn.Module):
            self.model.to(memory_format=torch.channels_last)
        self.device = self._parameters[0].device
        self.stopwatch = self.stopwatch or Stopwatch(self.device)
        self.forward = Forward(self.loss, self.device, self.autocast, self.channels_last, self.compile)
        self._last_finite = LastFinite()

    @property
    def finished(self) -> bool:
        """Whether the training has ended, for whatever reason; `status` says which."""
        return self.status is not None

    @property
    def elapsed_s(self) -> float:
        """Seconds of training in all segments, without callbacks, checkpoints and compilation."""
        return self.stopwatch.elapsed_s

    def record(self, **values: Any) -> None:
        """Append a row {step, time_s, **values}; tensors and numpy numbers become plain ones."""
        plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}
        self.rows.append({"step": self.step, "time_s": self.elapsed_s, **plain})

    def run(self) -> "Trainer":
        """Resume if there is a checkpoint, then train to the end; a finished training is not repeated."""
        self._resume()
        if self.finished:
            return self
        if self.compile:
            self._warm_up()
        flushed = FlushDenormals()
        with self.stopwatch:
            while not self.finished:
                self._safe_point()
                called, stop = self._call_due()
                self.status = self._verdict(stop)
                if not self.finished:
                    with flushed:
                        self._advance()
        self._call_due(skip=[] if self.status == "diverged" else called)
        if self.checkpoints is not None:
            self._save()
        return self

    def _advance(self) -> None:
        """One optimizer step. Nothing here waits for the device but the check."""
        checked = self.step % self.check_every == 0
        if checked:
            self._last_finite.stage(self.model, self.step)
        batch = next(self.batches)
        first, *others = self.optimizers
        self.last_loss = first.step(lambda: self._gradients(batch)).detach()
        for optimizer in others:
            optimizer.step()
        for scheduler in self._schedulers:
            scheduler.step()
        self.step += 1
        if checked and self.last_loss.isfinite():
            self._last_finite.commit()
        elif checked:
            self.status = self._cut_back()

    def _gradients(self, batch) -> Tensor:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = distributed.backward(self.forward, self.model, batch, self._parameters)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self.clip_norm)
        return loss

    def _safe_point(self) -> None:
        """Before a step and its callbacks: save if it is time; save and stop if a signal came."""
        activity.advance(self.step, self.max_steps)
        interrupted = distributed.agreed(signals.requested() is not None, self)
        if self.checkpoints is not None and (interrupted or self.checkpoints.due(self.step)):
            self._save()
        if interrupted:
            signals.check(elsewhere=True)

    def _call_due(self, skip: Sequence[When] = ()) -> tuple[list[When], bool]:
        """Run the callbacks due but `skip`, off the clock, without gradients; return them and if to stop."""
        skip = [callback for callback in skip if not getattr(callback, "again_at_end", False)]
        due = [callback for callback in self._callbacks if callback.due(self) and callback not in skip]
        if not due:
            return due, False
        with self.stopwatch.paused(), torch.no_grad():
            answers = [callback(self) for callback in due]
            answers = [a.item() if hasattr(a, "item") else a for a in answers]  # bools of numpy and torch
        for callback, answer in zip(due, answers, strict=True):
            if not (answer is None or isinstance(answer, bool)):
                name = getattr(callback, "callback", callback)
                raise TypeError(f"{name} returned {answer!r}: return True to stop, None or False to go on")
        return due, any(answers)

    def _verdict(self, stop: bool) -> str | None:
        """The status before the next step."""
        if stop:
            status = "done"
        elif self.step >= self.max_steps:
            status = "max_steps" if self.until else "done"
        elif distributed.agreed(self.stopwatch.peek_s() >= self.time_limit_s, self):
            status = "timeout"
        else:
            return None
        sound = self.last_loss is None or self.last_loss.isfinite()
        return status if sound and all(p.isfinite().all() for p in self._parameters) else self._cut_back()

    def _cut_back(self) -> str:
        self.step = self._last_finite.restore(self.model)
        self.rows[:] = [row for row in self.rows if row["step"] < self.step]
        return "diverged"

    def _warm_up(self) -> None:
        """Compile off the clock, and leave model, random states and data as they were."""
        tensors = {name: t.clone() for name, t in named_tensors(self.model).items()}
        random_before, data_before = random_state(self.generators), self.batches.state_dict()
        with Stopwatch(self.device) as watch:
            self._gradients(next(self.batches))
        self.warmup_s = watch.elapsed_s
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        load_tensors(self.model, tensors)
        set_random_state(random_before, self.generators)
        self.batches.load_state_dict(data_before)

    def _save(self) -> None:
        with self.stopwatch.paused():
            state = {
                **{name: getattr(self, name) for name in PROGRESS},
                "parts": self._parts(),
                "model": named_tensors(self.model),
                "last_finite": self._last_finite.good,
                "stateful": [part.state_dict() for part in self._stateful()],
                "random": random_state(self.generators),
                "elapsed_s": self.elapsed_s,
            }
            self.checkpoints.save(self.step, state)

    def _resume(self) -> None:
        state = self.checkpoints.load() if self.checkpoints is not None else None
        if state is None:
            return
        if state["parts"] != self._parts():
            raise self.checkpoints.mismatch(f"another training: {state['parts']}; this: {self._parts()}")
        self.checkpoints.restore(self.model, state["model"])
        for part, saved in zip(self._stateful(), state["stateful"], strict=True):
            part.load_state_dict(saved)
        vars(self).update({name: state[name] for name in PROGRESS})
        self.resumes, self._last_finite.good = self.resumes + (not self.finished), state["last_finite"]
        self.stopwatch.reset(state["elapsed_s"])
        set_random_state(state["random"], self.generators)

    def _stateful(self) -> list:
        return [*self.optimizers, *self._schedulers, self.batches, *self._callbacks]

    def _parts(self) -> str:
        return ", ".join(type(part).__name__ for part in self._stateful())
