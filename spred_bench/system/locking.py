"""One writer per run directory: `with held(path):`, on file systems with and without file locks.

The kernel's lock (flock) goes with its process, however that ends. Some cluster file systems do not have it (Lustre
without `-o flock`, NFS without a lock daemon); there a file stands for the lock, which its owner touches as long as it
lives and which counts as abandoned when it has not been touched for a while.
"""

import contextlib
import errno
import fcntl
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from spred_bench.errors import Busy
from spred_bench.system.files import read_regular, regular

_TOUCH_EVERY_S = 30.0
_ABANDONED_AFTER_S = 600.0
_TAKEN = (errno.EAGAIN, errno.EACCES)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block. Busy, naming the owner, if another process has it."""
    with open(path, "ab+", buffering=0, opener=regular) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                raise Busy(f"another process is working on this run{_owner(path)}; wait for it to finish") from None
        else:
            try:
                _sign(file)
                yield
            finally:
                with contextlib.suppress(OSError):
                    file.truncate(0)
            return
    with _held_without_flock(path.with_name(f"{path.name}-held")):
        yield


def is_held(path: Path) -> bool:
    """Whether some process holds the lock file `path` now."""
    try:
        with open(path, opener=regular) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError as error:
        stand_in = path.with_name(f"{path.name}-held")
        return error.errno in _TAKEN or (stand_in.exists() and not _abandoned(stand_in))


def _sign(file) -> None:
    """Write who we are, for the message of those who come later; a full disk is no reason to stop here."""
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(f"{socket.gethostname()} {os.getpid()}\n".encode())


def _owner(path: Path) -> str:
    """' (process 12 on node5)', as far as it is known."""
    with contextlib.suppress(OSError, ValueError):
        host, pid = read_regular(path).decode().split()
        return f" (process {pid} on {host})"
    return ""


@contextlib.contextmanager
def _held_without_flock(path: Path) -> Iterator[None]:
    """The same with a file whose existence is the lock."""
    took_over = path.exists() and _abandoned(path)
    if took_over:
        path.unlink(missing_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
    except FileExistsError:
        owner = _owner(path)
        raise Busy(f"another process is working on this run{owner}; if it is gone, remove {path}") from None
    mine = f"{socket.gethostname()} {os.getpid()}\n"
    with os.fdopen(handle, "w") as file:
        file.write(mine)
    if took_over:
        time.sleep(0.5)  # another may have seen the same abandoned file: the last to write has it
        if path.read_text() != mine:
            raise Busy("another process has just taken over this run; wait for it to finish")
    over = threading.Event()
    threading.Thread(target=_keep_fresh, args=(path, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        path.unlink(missing_ok=True)


def _keep_fresh(path: Path, over: threading.Event) -> None:
    while not over.wait(_TOUCH_EVERY_S):
        with contextlib.suppress(OSError):
            os.utime(path)


def _abandoned(path: Path) -> bool:
    """Whether the owner is known to be dead, or has not touched the file for long by the file server's own clock."""
    with contextlib.suppress(OSError, ValueError):
        host, pid = read_regular(path).decode().split()
        if host == socket.gethostname() and not _alive(int(pid)):
            return True
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".clock-") as now:
            return os.stat(now.name).st_mtime - path.stat().st_mtime > _ABANDONED_AFTER_S
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
