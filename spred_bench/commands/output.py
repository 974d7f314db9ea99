"""Output whose reader may leave (`| head -1`) or whose disk may be full: the work goes on, its rows are in files."""

import contextlib
import os
import sys
from collections.abc import Iterator


class _Patient:
    """A stream of text that drops what it cannot write. `error`: why, once that has happened."""

    def __init__(self, stream):
        self._stream, self.error = stream, None

    def write(self, text: str) -> int:
        """See io.TextIOBase."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """See io.TextIOBase."""
        with self._dropping():
            self._stream.flush()

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # What is buffered still, and all that follows, goes nowhere.
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


@contextlib.contextmanager
def patient() -> Iterator[_Patient]:
    """Let the block print to streams that never raise; its standard output is what is yielded, flushed at the end."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Patient(out), _Patient(err)
    try:
        yield sys.stdout
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = out, err
