"""Shared by all tests: two threads at most, no network, a results folder that goes away."""

import os
import signal
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell that starts the tests in the background has Ctrl-C ignored, in them and in what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Processes that the tests start load the code under test, wherever another copy may be installed.
ROOT = Path(__file__).parent.parent
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


@pytest.fixture
def cli(tmp_path, capsys, monkeypatch):
    """Run the command line in this process, in an empty folder: `cli("scale=smoke", ...) -> (code, out, err)`."""
    from spred_bench import cli as program

    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            program.main(list(words))
        out, err = capsys.readouterr()
        return leaving.value.code or 0, out, err

    return run
