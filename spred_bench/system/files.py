"""Files that are whole or absent, and where the package and its yaml tree lie."""

import errno
import os
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

from spred_bench.errors import UserError

PACKAGE = Path(__file__).parent.parent  # the folder spred_bench/


def config_dir() -> Path:
    """Folder of the yaml tree: inside the package when installed from a wheel, beside it in a checkout."""
    packaged = PACKAGE / "configs"
    return packaged if packaged.is_dir() else PACKAGE.parent / "configs"


@contextmanager
def writing(path: Path):
    """Turn what the file system refuses (disk full, read-only, quota) into a line for the user."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{path}: cannot write ({reason}); finished cells are kept, and the same command continues"
        ) from None


def regular(path: str | Path, flags: int) -> int:
    """An `opener` for `open`: OSError where `path` is a link, a pipe or a device.

    A run writes through no link that somebody has put in a file's place, and waits for no pipe.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # of a link, and of a pipe that nobody reads
            raise
        raise OSError(errno.EINVAL, "not a regular file", str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def read_regular(path: Path) -> bytes:
    """The content of a file. OSError where it is missing or is no regular file."""
    with open(path, "rb", opener=regular) as file:
        return file.read()


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write beside and rename: a reader sees the old file or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; results are for sharing, within the user's umask.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
