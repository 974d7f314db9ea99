"""Downloads that can be trusted: https, checksum, retries, resumed where they broke off, whole or not there.

Only `spred-bench prepare` calls this. A data source offers `prepare()` and says there what it wants:

    fetch(["https://example.org/data.gz"], self.data_dir / "data.gz", sha256="...")
"""

import contextlib
import hashlib
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from spred_bench.errors import UserError
from spred_bench.system.files import regular, write_atomic

_BLOCK = 1 << 16
_TIMEOUT_S = 30.0
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
# An address of this machine cannot be listened to on the way.
_LOCAL = ("localhost", "127.0.0.1", "::1")


class _Broken(Exception):
    """This attempt failed; `again`: another of the same address may do better."""

    def __init__(self, reason: str, again: bool = True):
        super().__init__(reason)
        self.again = again


def fetch(
    urls: Sequence[str],
    target: Path,
    sha256: str | None,
    *,
    attempts: int = 4,
    pause_s: float = 1.0,
    examine: Callable[[Path], None] = lambda path: None,
    report: Callable[[str], None] = print,
) -> Path:
    """`target`, downloaded from the first of `urls` that gives a file of this SHA-256; kept if it is there already.

    Each address is tried `attempts` times, the pause doubling. What has come stays in `target`.part and is continued.
    Where nobody knows the checksum beforehand (None), that of the first download is recorded in `target`.sha256 and
    holds from then on. `examine(path)` looks at what has come before it gets its name and its record, and raises
    ValueError or UserError where that is not the file wanted.
    Raises UserError, which names the place for a copy brought by hand.
    """
    known = sha256 or recorded_checksum(target)
    by_hand = f"or put a copy {f'with SHA-256 {known} ' if known else ''}at {target}"
    for url in urls:
        _require_https(url)
    if target.exists():
        if known in (None, checksum(target)):
            report(f"{target}: there already{', checked' if known else ''}")
            return target
        raise UserError(f"{target}: another file, or damaged (its SHA-256 is not {known}); remove it, {by_hand}")
    failures = []
    for url in urls:
        for attempt in range(attempts):
            try:
                _download(url, target, known, examine)
                if not known:
                    _record(target)
            except _Broken as broken:
                failures.append(f"{urlsplit(url).netloc}: {broken}")
                report(f"{url}: {broken}")
                if not broken.again:
                    break
                if attempt + 1 < attempts:
                    time.sleep(pause_s * 2**attempt)
            except OSError as error:
                raise UserError(f"{target}: cannot write ({error.strerror or error})") from None
            else:
                state = "checked" if known else f"SHA-256 {checksum(target)} recorded"
                report(f"{target}: {target.stat().st_size} bytes, {state}")
                return target
    raise UserError(f"{target.name}: cannot be downloaded ({failures[-1]}); try again later, {by_hand}")


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded_checksum(path: Path) -> str | None:
    """The SHA-256 recorded when `path` was downloaded; None where there is no record."""
    record = _record_of(path)
    return record.read_text().split()[0] if record.is_file() else None


def _record(path: Path) -> None:
    write_atomic(_record_of(path), f"{checksum(path)}  {path.name}\n")  # as `sha256sum -c` reads it


def _record_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _require_https(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise UserError(f"{url}: only https addresses are downloaded from")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """A redirection may not leave https either."""

    def redirect_request(self, request, file, code, message, headers, url):
        try:
            _require_https(url)
        except UserError as error:
            raise _Broken(f"redirected to {error}", again=False) from None
        return super().redirect_request(request, file, code, message, headers, url)


def _download(url: str, target: Path, sha256: str | None, examine: Callable[[Path], None]) -> None:
    """One attempt. _Broken where the network is to blame; OSError where the disk is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    with contextlib.closing(_open(url, have, part)) as answer:
        if answer.headers.get_content_type() == "text/html":
            raise _Broken("sends a web page where a file was asked for (a proxy, a login?)", again=False)
        if answer.status != 206:  # the server sends the whole file, whatever was asked
            have = 0
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _Broken("the server sends another part than was asked for; starting over")
        length = answer.headers.get("Content-Length", "")
        _copy(answer, part, have, have + int(length) if length.isdecimal() else None, target.name)
    if sha256 not in (None, checksum(part)):
        part.unlink()
        raise _Broken(f"the file has another SHA-256 than {sha256}")
    try:
        examine(part)
    except (UserError, ValueError) as error:
        part.unlink()
        raise _Broken(f"not the file: {error}", again=False) from None
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)


def _open(url: str, have: int, part: Path):
    headers = {"User-Agent": "spred-bench", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        opener = urllib.request.build_opener(_SafeRedirects)
        return opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing beyond what we have: it is whole, or not the file
            part.unlink(missing_ok=True)
            raise _Broken("the part downloaded before does not fit; starting over") from None
        raise _Broken(f"HTTP {error.code} {error.reason}", again=error.code in _RETRIED) from None
    except (OSError, ValueError) as error:
        raise _Broken(str(getattr(error, "reason", error))) from None


def _copy(answer, part: Path, have: int, total: int | None, name: str) -> None:
    from http.client import HTTPException

    _require_room(part.parent, (total or 0) - have)
    with open(part, "ab" if have else "wb", opener=regular) as file, _progress(name, have, total) as advance:
        while True:
            try:
                block = answer.read(_BLOCK)
            except (OSError, HTTPException) as error:
                raise _Broken(f"broke off after {file.tell()} bytes ({type(error).__name__})") from None
            if not block:
                break
            file.write(block)
            advance(len(block))
        if total is not None and file.tell() < total:
            raise _Broken(f"broke off after {file.tell()} of {total} bytes")


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{folder}: the download needs {needed} bytes, {free} are free")


@contextlib.contextmanager
def _progress(name: str, have: int, total: int | None):
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(desc=name, initial=have, total=total, unit="B", unit_scale=True, leave=False) as bar:
        yield bar.update
