"""One writer, with the kernel's locks and without."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest

from spred_bench.errors import Busy
from spred_bench.system import locking


@pytest.fixture(params=["flock", "no flock"])
def lock(request, tmp_path, monkeypatch):
    if request.param == "no flock":

        def missing(*_):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(locking.fcntl, "flock", missing)
    return tmp_path / ".lock"


def test_a_second_holder_is_refused_and_told_who_has_it(lock):
    with locking.held(lock):
        assert locking.is_held(lock)
        with pytest.raises(Busy, match=f"process {os.getpid()} on "), locking.held(lock):
            pass
        assert locking.is_held(lock)
    assert not locking.is_held(lock)
    with locking.held(lock):
        pass


def test_an_error_inside_lets_go(lock):
    with pytest.raises(RuntimeError), locking.held(lock):
        raise RuntimeError
    assert not locking.is_held(lock)


def stand_in(lock, owner):
    lock.touch()
    path = lock.with_name(f"{lock.name}-held")
    path.write_text(owner)
    return path


@pytest.mark.parametrize("lock", ["no flock"], indirect=True)
def test_without_flock_the_lock_of_a_dead_process_is_taken_over(lock):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    stand_in(lock, f"{socket.gethostname()} {dead.pid}\n")
    assert not locking.is_held(lock)
    with locking.held(lock):
        assert locking.is_held(lock)


@pytest.mark.parametrize("lock", ["no flock"], indirect=True)
def test_without_flock_a_silent_host_loses_the_lock(lock):
    path = stand_in(lock, "elsewhere 12\n")
    with pytest.raises(Busy, match="process 12 on elsewhere"), locking.held(lock):
        pass
    os.utime(path, (0, 0))
    with locking.held(lock):
        pass


@pytest.mark.parametrize("lock", ["no flock"], indirect=True)
def test_without_flock_the_owner_keeps_it_fresh(lock, monkeypatch):
    monkeypatch.setattr(locking, "_TOUCH_EVERY_S", 0.01)
    with locking.held(lock):
        path = lock.with_name(f"{lock.name}-held")
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 60
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert path.stat().st_mtime > 0
