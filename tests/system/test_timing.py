"""The stopwatch counts only what it should; the stamp is plain data."""

import json
import subprocess
import sys
import textwrap

import pytest

from paths import ROOT
from spred_bench.system import stopwatch
from spred_bench.system.machine import environment, git_state, peak_memory_bytes
from spred_bench.system.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves by hand."""

    class Clock:
        now = 100.0

        def advance(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: clock.now)
    return clock


def test_pauses_are_left_out(clock):
    watch = Stopwatch()
    with watch:
        clock.advance(2)
        with watch.paused():
            clock.advance(50)
            assert watch.elapsed_s == 2
        clock.advance(3)
        assert watch.elapsed_s == watch.peek_s() == 5
    clock.advance(50)
    assert watch.elapsed_s == 5


def test_time_adds_up_over_segments(clock):
    watch = Stopwatch(elapsed_s=10)
    watch.start()
    clock.advance(1)
    assert watch.pause() == 11
    watch.resume()
    clock.advance(4)
    assert watch.pause() == 15
    watch.reset(3)
    assert watch.elapsed_s == 3


def test_paused_goes_on_after_an_error(clock):
    watch = Stopwatch().start()
    with pytest.raises(ZeroDivisionError), watch.paused():
        raise ZeroDivisionError
    assert watch.running
    watch.pause()
    with watch.paused():
        pass
    assert not watch.running


def test_misuse_is_an_error():
    watch = Stopwatch()
    with pytest.raises(RuntimeError, match="not running"):
        watch.pause()
    watch.start()
    with pytest.raises(RuntimeError, match="running already"):
        watch.start()
    with pytest.raises(RuntimeError, match="pause"):
        watch.reset()


def test_waits_for_cuda_before_each_reading_but_not_for_a_peek(monkeypatch):
    import torch

    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    watch = Stopwatch(torch.device("cuda:1"))
    watch.start()
    watch.peek_s()
    assert waited == ["cuda:1"]
    assert watch.elapsed_s >= 0
    watch.pause()
    assert len(waited) == 3
    Stopwatch(torch.device("cpu")).start()
    assert len(waited) == 3


def test_environment_is_plain_and_names_the_machine():
    import torch

    stamp = environment()
    assert json.loads(json.dumps(stamp)) == stamp
    assert torch.__version__.startswith(stamp["packages"]["torch"])
    assert stamp["threads"]["torch"] == torch.get_num_threads()
    assert 1 <= stamp["cores_allowed"] <= stamp["cores"]
    assert stamp["ram_bytes"] > 2**28
    assert not any("/" in str(library) for library in stamp["blas"])


def test_timing_and_the_stamp_do_not_load_torch():
    code = """
        import sys
        from spred_bench.system import machine, stopwatch
        stopwatch.Stopwatch("cpu").start()
        stamp = machine.environment()
        assert stamp["threads"]["torch"] is None and stamp["cuda"] is None
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT)


def test_git_state(tmp_path):
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "missing") is None

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    state = git_state(tmp_path)
    assert len(state["sha"]) == 40 and state["dirty"] is False
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == {"sha": state["sha"], "dirty": True}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own count is taken")
def test_peak_memory_is_the_process_own_in_bytes():
    assert peak_memory_bytes() > 2**23
    script = "from spred_bench.system.machine import peak_memory_bytes; print(peak_memory_bytes())"
    thin, fat = (
        f"{ballast}; import subprocess, sys; print(subprocess.run([sys.executable, '-c', {script!r}], "
        "capture_output=True, text=True).stdout)"
        for ballast in ("pass", "kept = bytearray(2**29)")
    )
    peaks = [int(subprocess.run([sys.executable, "-c", text], capture_output=True).stdout) for text in (thin, fat)]
    assert 2**23 < peaks[1] < 2 * peaks[0] < 2**29
