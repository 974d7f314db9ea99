"""Checkpoints: whole or absent, never half; the last two are kept; loading executes no code.

A file is a line with the SHA-256 of the rest, then what `torch.save` writes. It may hold tensors and plain
Python data only (no numpy arrays, no paths), because it is read with `weights_only=True`.

A task asks for the checkpoints of its cell, with a name for each training of the cell:

    train(model, optimizer, loss, batches, epochs=50, checkpoints=of_cell(self, cell, "dense"))
"""

import contextlib
import hashlib
import io
import os
import random
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from spred_bench.errors import CheckpointMismatch
from spred_bench.system import distributed
from spred_bench.system.files import read_regular, regular
from spred_bench.training.snapshot import ModelMismatch, load_tensors

MAGIC = b"spred-checkpoint-1 "
KEPT = 2
_TEMPORARY = "writing.tmp"


class _Corrupt(Exception):
    pass


class Checkpoints:
    """The checkpoints of one training in one folder, made on the first save.

    key: identifies the configuration, e.g. its hash; a checkpoint with another key is refused.
    every_steps, every_s: when a save is due, in steps and in seconds of real time; None for never.
    """

    def __init__(self, folder: str | Path, key: str, every_steps: int | None = None, every_s: float | None = 60.0):
        if (every_steps is not None and every_steps < 1) or (every_s is not None and every_s <= 0):
            raise ValueError(f"every_steps={every_steps}, every_s={every_s}: must be positive or None")
        self.folder, self.key = Path(folder), key
        self.every_steps, self.every_s = every_steps, every_s
        self._saved_s, self._saved_once = time.monotonic(), False

    def due(self, step: int) -> bool:
        """Whether a checkpoint should be written at this step."""
        by_steps = self.every_steps is not None and step > 0 and step % self.every_steps == 0
        return by_steps or (self.every_s is not None and time.monotonic() - self._saved_s >= self.every_s)

    def save(self, step: int, state: dict) -> Path:
        """Write `state` beside and rename; then forget all but the newest two. Of several processes, the first does.

        Where the disk refuses there is a warning, and the training goes on: its rows need far less room than this.
        """
        path = self.folder / f"step-{step:010d}.pt"
        if not distributed.leads():
            return path
        buffer = io.BytesIO()
        torch.save({"key": self.key, "state": state}, buffer)
        try:
            self._write(path, buffer.getbuffer())
            if not self._saved_once:
                self._read(path)  # something that cannot be read back must show now, not when the run is resumed
            self._saved_once = True
            for old in self._paths()[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            with contextlib.suppress(OSError):
                (self.folder / _TEMPORARY).unlink(missing_ok=True)
            warnings.warn(f"no checkpoint {path}: {error.strerror or error}; the training goes on", stacklevel=2)
        self._saved_s = time.monotonic()
        return path

    def _write(self, path: Path, content: memoryview) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / _TEMPORARY
        with open(temporary, "wb", opener=regular) as file:
            file.write(MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(self.folder)

    def load(self) -> dict | None:
        """The newest sound state, tensors on the CPU, or None. CheckpointMismatch for another key."""
        for path in self._paths():
            try:
                return self._read(path)
            except _Corrupt as problem:
                warnings.warn(f"ignoring checkpoint {path}: {problem}", stacklevel=2)
        return None

    def clear(self) -> None:
        """Remove the checkpoints, and the folder if nothing else is in it."""
        for path in [*self._paths(), self.folder / _TEMPORARY]:
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def _read(self, path: Path) -> dict:
        try:
            header, _, content = read_regular(path).partition(b"\n")
        except OSError as error:
            raise _Corrupt(error.strerror or str(error)) from None
        if not header.startswith(MAGIC):
            raise _Corrupt("not a checkpoint of this version")
        if header != MAGIC + hashlib.sha256(content).hexdigest().encode():
            raise _Corrupt("truncated or damaged")
        try:
            saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception as problem:  # the bytes are as written, so this is no damage to fall back from
            first_line = str(problem).strip().partition("\n")[0]
            raise ValueError(f"checkpoint {path} holds more than tensors and plain data: {first_line}") from None
        if saved["key"] != self.key:
            raise self.mismatch(f"checkpoint {path.name} belongs to configuration {saved['key']}, this is {self.key}")
        return saved["state"]

    def restore(self, model: nn.Module, tensors: dict) -> None:
        """Put `tensors` into the model. CheckpointMismatch if they are of another one."""
        try:
            load_tensors(model, tensors)
        except ModelMismatch as other:
            raise self.mismatch(str(other)) from None

    def mismatch(self, reason: str) -> CheckpointMismatch:
        """To be raised where what was loaded does not fit."""
        return CheckpointMismatch(f"{self.folder}: {reason}; remove the folder to start over")


def of_cell(task, cell, name: str = "training") -> Checkpoints | None:
    """Checkpoints of the training `name` of a cell, in the folder that the runner has for it; None without a runner.

    A cell that trains several times gives each training a name of its own, the same whenever the cell is run: those
    that are finished are not repeated. The runner removes all of them once the rows of the cell are in the journal.
    """
    folder = task.scratch
    return None if folder is None else Checkpoints(folder / name, cell.id)


def random_state(generators: Sequence[np.random.Generator | torch.Generator] = ()) -> dict:
    """The state of Python's and torch's global random numbers and of `generators`; plain data."""
    state = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    state["generators"] = [
        g.get_state() if isinstance(g, torch.Generator) else g.bit_generator.state for g in generators
    ]
    return state


def set_random_state(state: dict, generators: Sequence[np.random.Generator | torch.Generator] = ()) -> None:
    """The inverse of `random_state`; CUDA states are for a machine with as many devices, else left out."""
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state.get("cuda", [])) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    for generator, saved in zip(generators, state["generators"], strict=True):
        if isinstance(generator, torch.Generator):
            generator.set_state(saved)
        else:
            generator.bit_generator.state = saved


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can open a folder."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
