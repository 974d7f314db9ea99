"""Downloads from a server of our own that breaks off, stalls, lies and redirects."""

import hashlib
import http.server
import threading

import pytest

from spred_bench.errors import UserError
from spred_bench.system import download

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Answers by `plan`, one entry for each request, the last one for ever."""

    plan = ("whole",)
    daemon_threads = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/data.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        plan, asked = self.server.plan, self.headers.get("Range")
        self.server.asked.append(asked)
        what = plan[min(len(self.server.asked), len(plan)) - 1]
        first = int(asked.split("=")[1].rstrip("-")) if asked else 0
        if isinstance(what, int):
            return self.send_error(what)
        if what.startswith("http"):
            self.send_response(302)
            self.send_header("Location", what)
            return self.end_headers()
        if what == "ignores ranges":
            first = 0
        if first >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if asked and what != "ignores ranges" else 200)
        start = 0 if what == "begins at 0" else first
        self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", "abc" if what == "no length" else str(len(CONTENT) - start))
        self.send_header("Content-Type", "text/html" if what == "a page" else "application/octet-stream")
        self.end_headers()
        first = start
        body = bytes(len(CONTENT)) if what == "other" else CONTENT
        self.wfile.write(body[first : first + 100_000] if what == "breaks off" else body[first:])
        self.close_connection = True


@pytest.fixture
def server():
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    def run(*plan, urls=None, **options):
        server.plan = plan
        options = {"pause_s": 0.0, "report": lambda line: None} | options
        return download.fetch(urls or [server.url], tmp_path / "data" / "data.bin", SHA256, **options)

    return run


@pytest.mark.parametrize(
    ("plan", "asked"),
    [
        (["whole"], [None]),
        (["breaks off", "breaks off", "whole"], [None, "bytes=100000-", "bytes=200000-"]),
        (["breaks off", "ignores ranges"], [None, "bytes=100000-"]),
        ([503, 429, "whole"], [None, None, None]),
        (["other", "whole"], [None, None]),
        (["breaks off", "begins at 0", "whole"], [None, "bytes=100000-", None]),
        (["no length"], [None]),
    ],
)
def test_the_file_is_whole_and_checked_in_the_end(fetch, server, tmp_path, plan, asked):
    assert fetch(*plan).read_bytes() == CONTENT
    assert server.asked == asked
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["data.bin"]


def test_a_later_command_continues_where_this_one_gave_up(fetch, server):
    with pytest.raises(UserError, match="broke off after 100000 of 256000 bytes"):
        fetch("breaks off", attempts=1)
    assert fetch("whole", "whole").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-"]


def test_a_part_that_does_not_fit_is_dropped(fetch, server, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "data.bin.part").write_bytes(bytes(len(CONTENT)))
    assert fetch("whole").read_bytes() == CONTENT
    assert server.asked == ["bytes=256000-", None]


def test_the_next_address_is_tried(fetch, server):
    assert fetch(404, "whole", urls=[server.url, server.url + "2"]).read_bytes() == CONTENT
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([404], "HTTP 404 Not Found"),
        ([500], "HTTP 500"),
        (["other"], "another SHA-256"),
        (["a page"], "sends a web page where a file was asked for"),
        (["http://example.org/data.bin"], "redirected to http://example.org/data.bin: only https"),
    ],
)
def test_a_failure_says_why_and_where_a_copy_may_be_put(fetch, tmp_path, plan, message):
    with pytest.raises(UserError, match=message) as error:
        fetch(*plan)
    assert f"put a copy with SHA-256 {SHA256} at {tmp_path}/data/data.bin" in str(error.value)
    assert not (tmp_path / "data" / "data.bin").exists()


def test_what_is_there_is_checked_and_not_downloaded_again(fetch, server, tmp_path):
    fetch("whole")
    fetch("whole")
    assert server.asked == [None]
    (tmp_path / "data" / "data.bin").write_bytes(b"other")
    with pytest.raises(UserError, match="another file, or damaged"):
        fetch("whole")


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd"])
def test_only_https(fetch, url):
    with pytest.raises(UserError, match="only https"):
        fetch("whole", urls=[url])


def test_nobody_listens(fetch, server):
    server.server_close()
    with pytest.raises(UserError, match="Connection refused"):
        fetch("whole", attempts=2)


def test_a_disk_too_small_is_said_before(fetch, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(UserError, match="needs 256000 bytes, 10 are free"):
        fetch("whole")


def test_an_unknown_checksum_is_recorded_and_then_required(server, tmp_path):
    target, lines = tmp_path / "data.bin", []

    def fetch():
        return download.fetch([server.url], target, None, pause_s=0.0, report=lines.append)

    server.plan = ["breaks off", "whole"]
    assert fetch().read_bytes() == CONTENT and server.asked == [None, "bytes=100000-"]
    assert lines[-1].endswith(f"SHA-256 {SHA256} recorded") and download.recorded_checksum(target) == SHA256
    fetch()
    assert lines[-1].endswith("there already, checked") and len(server.asked) == 2
    target.write_bytes(b"changed")
    with pytest.raises(UserError, match="another file, or damaged"):
        fetch()
    target.unlink()
    server.plan = ["other"]
    with pytest.raises(UserError, match="another SHA-256"):
        fetch()


@pytest.mark.parametrize("bad", ["a page", "other"])
def test_a_bad_first_download_leaves_no_record(server, tmp_path, bad):
    def examine(path):
        if path.read_bytes() != CONTENT:
            raise ValueError("other bytes")

    def fetch(*plan):
        server.plan, server.asked = plan, []
        options = {"pause_s": 0.0, "examine": examine, "report": lambda line: None}
        return download.fetch([server.url], tmp_path / "data.bin", None, **options)

    with pytest.raises(UserError, match=r"a web page|not the file: other bytes"):
        fetch(bad)
    assert list(tmp_path.iterdir()) == []
    assert fetch("whole").read_bytes() == CONTENT and download.recorded_checksum(tmp_path / "data.bin") == SHA256
    (tmp_path / "data.bin").unlink()
    (tmp_path / "data.bin.sha256").unlink()
    fetch("breaks off", "begins at 0", "whole")
    assert download.recorded_checksum(tmp_path / "data.bin") == SHA256
