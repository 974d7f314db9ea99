"""Links and pipes in the place of a run's files: nothing is written through them, and nobody waits for them."""

import os

import numpy as np
import pytest

import counting
from spred_bench.errors import UserError
from spred_bench.experiments.judging import isolation
from spred_bench.system import files, locking
from spred_bench.training.checkpoint import Checkpoints


@pytest.fixture(params=["pipe", "link"])
def trap(request, tmp_path):
    """Put a pipe or a link to a file of somebody else in a file's place."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")

    def put(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path) if request.param == "pipe" else path.symlink_to(victim)

    yield put
    assert victim.read_bytes() == b"precious"


def test_a_regular_file_alone_is_opened(tmp_path, trap):
    trap(tmp_path / "x")
    for mode in ("rb", "ab", "wb"):
        with pytest.raises(OSError, match="not a regular file"), open(tmp_path / "x", mode, opener=files.regular):
            pass
    (tmp_path / "y").write_text("text")
    assert files.read_regular(tmp_path / "y") == b"text"


@pytest.mark.parametrize("name", [".lock", "cells.jsonl", "config.yaml"])
def test_a_run_refuses_it_in_one_line(tmp_path, trap, name):
    trap(counting.plan(tmp_path, 0).path / name)
    with pytest.raises(UserError, match=name.replace(".", r"\.")) as error:
        counting.run(tmp_path, 0)
    assert "\n" not in str(error.value)


def test_a_manifest_and_a_table_are_written_anew(tmp_path, trap):
    counting.run(tmp_path, 0)
    path = counting.plan(tmp_path, 0).path
    before = (path / "records.csv").read_bytes()
    for name in ("run.json", "records.csv"):
        trap(path / name)
        assert counting.run(tmp_path, 0).startswith("5 done")
    assert (path / "records.csv").read_bytes() == before and not (path / "records.csv").is_symlink()


def test_a_lock_is_not_waited_for(tmp_path, trap):
    trap(tmp_path / ".lock")
    assert not locking.is_held(tmp_path / ".lock")


def test_checkpoints_pass_it_over(tmp_path, trap):
    trap(tmp_path / "step-0000000007.pt")
    trap(tmp_path / "writing.tmp")
    checkpoints = Checkpoints(tmp_path, "key")
    with pytest.warns(UserWarning, match="ignoring checkpoint .*not a regular file"):
        assert checkpoints.load() is None
    with pytest.warns(UserWarning, match="no checkpoint .*not a regular file; the training goes on"):
        checkpoints.save(8, {})


def test_a_temporary_folder_of_others_is_left_alone(tmp_path, trap, monkeypatch):
    monkeypatch.setattr(isolation.tempfile, "tempdir", str(tmp_path))
    trap(tmp_path / "spred-bench-x" / "in-use")
    (tmp_path / "spred-bench-y").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "in-use").touch()
    isolation.ProblemFiles(np.eye(2), np.ones(2)).close()
    assert (tmp_path / "spred-bench-x").exists() and (tmp_path / "elsewhere" / "in-use").exists()
