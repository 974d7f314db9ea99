"""Checkpoints are whole or absent, the previous one is the fallback, and loading executes nothing."""

import errno
import os
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn

from spred_bench.errors import CheckpointMismatch
from spred_bench.training.checkpoint import Checkpoints, random_state, set_random_state
from spred_bench.training.snapshot import LastFinite, ModelMismatch, load_tensors, named_tensors


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_is_loaded_and_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new", "key")
    assert checkpoints.load() is None
    for step in (5, 50, 200, 1000):
        checkpoints.save(step, {"step": step, "w": torch.arange(step)})
    assert files(tmp_path / "new") == ["step-0000000200.pt", "step-0000001000.pt"]
    state = Checkpoints(tmp_path / "new", "key").load()
    assert state["step"] == 1000 and torch.equal(state["w"], torch.arange(1000))
    checkpoints.clear()
    assert not (tmp_path / "new").exists()


def damage_truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


def damage_one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def damage_empty(path):
    path.write_bytes(b"")


def damage_foreign(path):
    torch.save({"step": 3}, path)


@pytest.mark.parametrize("damage", [damage_truncate, damage_one_bit, damage_empty, damage_foreign])
def test_a_damaged_file_falls_back_to_the_one_before(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.save(1, {"step": 1})
    damage(checkpoints.save(2, {"step": 2}))
    with pytest.warns(UserWarning, match=r"ignoring checkpoint .*step-0000000002\.pt") as caught:
        assert checkpoints.load() == {"step": 1}
    assert "\n" not in str(caught[0].message)


def test_all_damaged_means_none(tmp_path):
    checkpoints = Checkpoints(tmp_path, "key")
    damage_truncate(checkpoints.save(1, {}))
    with pytest.warns(UserWarning, match="truncated or damaged"):
        assert checkpoints.load() is None


def test_a_crash_while_writing_leaves_the_old_ones(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.save(1, {"step": 1})

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(2, {"step": 2})
    monkeypatch.undo()
    assert checkpoints.load() == {"step": 1}
    checkpoints.save(3, {"step": 3})
    assert files(tmp_path) == ["step-0000000001.pt", "step-0000000003.pt"]


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, "key", every_s=1e9)
    checkpoints.save(1, {"step": 1})

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match=r"no checkpoint .*step-0000000002\.pt: No space left on device"):
        checkpoints.save(2, {"step": 2})
    assert files(tmp_path) == ["step-0000000001.pt"] and not checkpoints.due(3)
    assert checkpoints.load() == {"step": 1}


def test_another_configuration_is_refused_in_one_line(tmp_path):
    Checkpoints(tmp_path, "abc").save(1, {})
    with pytest.raises(CheckpointMismatch, match="configuration abc, this is xyz") as error:
        Checkpoints(tmp_path, "xyz").load()
    assert "\n" not in str(error.value)


def test_what_cannot_be_read_back_fails_at_the_first_save(tmp_path):
    with pytest.raises(ValueError, match="more than tensors and plain data"):
        Checkpoints(tmp_path, "key").save(1, {"score": np.float64(1.0)})


def test_loading_executes_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    with pytest.raises(ValueError, match="more than tensors"):
        Checkpoints(tmp_path / "run", "key").save(1, {"evil": Evil()})
    assert not (tmp_path / "executed").exists()
    with pytest.raises(FileExistsError):  # the object would have done it
        pickle.loads(pickle.dumps(Evil()))
        pickle.loads(pickle.dumps(Evil()))


def test_when_a_save_is_due(tmp_path):
    by_steps = Checkpoints(tmp_path, "key", every_steps=10, every_s=None)
    assert [step for step in range(31) if by_steps.due(step)] == [10, 20, 30]
    assert Checkpoints(tmp_path, "key", every_s=1e-9).due(3)
    assert not Checkpoints(tmp_path, "key", every_s=1e9).due(3)
    with pytest.raises(ValueError, match="every_steps=0"):
        Checkpoints(tmp_path, "key", every_steps=0)


def test_random_states_come_back(tmp_path):
    generators = [np.random.default_rng(3), torch.Generator().manual_seed(4)]

    def draw():
        numbers = [random.random(), torch.rand(3).tolist(), generators[0].normal()]
        return [*numbers, torch.rand(3, generator=generators[1]).tolist()]

    checkpoints = Checkpoints(tmp_path, "key")
    checkpoints.save(0, random_state(generators))
    first, other = draw(), draw()
    set_random_state(checkpoints.load(), generators)
    assert draw() == first != other


@pytest.mark.parametrize("make", [dict, list])
def test_tensors_of_a_dict_or_a_list(make):
    u, v = torch.ones(2, requires_grad=True), torch.zeros(3)
    model = {"u": u, "v": v} if make is dict else [u, v]
    saved = {name: t.clone() + 1 for name, t in named_tensors(model).items()}
    load_tensors(model, saved)
    assert u.tolist() == [2, 2] and v.tolist() == [1, 1, 1] and u.requires_grad


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Linear(3, 2, bias=False), "'bias' is only in what was saved"),
        (nn.Linear(4, 2), r"'weight' is \(\(2, 3\), .* there, \(\(2, 4\)"),
        (nn.Linear(3, 2, dtype=torch.float64), "float32.* there, .*float64"),
    ],
)
def test_tensors_of_another_model_are_refused(other, message):
    before = {name: t.clone() for name, t in named_tensors(other).items()}
    with pytest.raises(ModelMismatch, match=message):
        load_tensors(other, named_tensors(nn.Linear(3, 2)))
    assert all(torch.equal(t, before[name]) for name, t in named_tensors(other).items())


def test_last_finite_goes_back_to_what_was_committed():
    w = torch.zeros(2, requires_grad=True)
    last = LastFinite()
    for step in (0, 10, 20):
        with torch.no_grad():
            w.fill_(step)
        last.stage(w, step)
        if step < 20:
            last.commit()
    assert last.restore(w) == 10
    assert w.tolist() == [10, 10]
