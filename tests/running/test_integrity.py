"""Run directories that were edited, cut, or cannot be written: detected, explained, nothing overwritten."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import counting
from paths import SUPPORT
from spred_bench.errors import UserError
from spred_bench.running import records, runner
from spred_bench.running.sweeps import collecting
from spred_bench.system import machine


@pytest.fixture
def finished(tmp_path):
    """A finished run; (its directory, what it holds)."""
    counting.run(tmp_path, 0)
    path = counting.plan(tmp_path, 0).path
    return path, {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"}


def again(tmp_path, **settings):
    notes = []
    result = runner.run(counting.plan(tmp_path, 0, **settings), "test", report=notes.append)
    return result, "\n".join(note for note in notes if note.startswith("note"))


def edit_yaml(path):
    content = yaml.safe_load((path / "config.yaml").read_text())
    (path / "config.yaml").write_text(yaml.safe_dump(content | {"kappa": 0.5}))


def edit_manifest(path):
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"config": manifest["config"] | {"seed": 7}}))


def cut_yaml(path):
    (path / "config.yaml").write_text("task: {")


def older_schema(path):
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"schema_version": 0}))


def stranger(path):
    records.RunDirectory(path, "counting").append({"cell": "other", "status": "done", "rows": []})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit_yaml, r"config\.yaml: was changed after the run began: kappa is 0\.5 there, None in this run"),
        (edit_manifest, r"run\.json: was changed after the run began: seed is 7 there, 0 in this run"),
        (cut_yaml, r"config\.yaml: is not readable yaml"),
        (older_schema, r"run\.json: schema version 0"),
        (stranger, r"cells\.jsonl: holds cells that this version .* \(other\)"),
    ],
)
def test_a_changed_run_is_refused_and_left_alone_until_force(tmp_path, finished, change, message):
    path, _ = finished
    change(path)
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"}
    with pytest.raises(UserError, match=message):
        again(tmp_path)
    assert {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"} == before
    again_forced = again(tmp_path, force=True)[0]
    assert (again_forced.cells["done"], again_forced.reused) == (counting.N_CELLS, 0)


@pytest.mark.parametrize("content", [b'{"schema_version": 1, ', b"null", b"[]", b'{"schema_version": 1}', b"\xff"])
@pytest.mark.parametrize("force", [False, True])
def test_a_damaged_manifest_costs_no_cell(tmp_path, finished, content, force):
    path, before = finished
    (path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=r"run\.json is not .*; the same command writes it anew"):
        collecting.collect(tmp_path)
    result, notes = again(tmp_path, force=force)
    assert result.reused == (0 if force else counting.N_CELLS) and "run.json was damaged" in notes
    assert json.loads((path / "run.json").read_text())["status"] == "done"
    assert (path / "records.csv").read_bytes() == before["records.csv"]
    assert (path / "run.json.damaged").read_bytes() == content


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_cut_table_is_kept_aside_and_written_anew(tmp_path, finished, kept):
    path, before = finished
    cut = before["records.csv"][:kept]
    (path / "records.csv").write_bytes(cut)
    result, notes = again(tmp_path)
    assert result.reused == counting.N_CELLS and "truncated or edited" in notes
    assert (path / "records.csv").read_bytes() == before["records.csv"]
    assert (path / "records.csv.damaged").read_bytes() == cut


def test_a_missing_table_is_written_anew(tmp_path, finished):
    path, before = finished
    (path / "records.csv").unlink()
    assert "was missing" in again(tmp_path)[1]
    assert (path / "records.csv").read_bytes() == before["records.csv"]


@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_damaged_journal_costs_that_cell_alone(tmp_path, finished, number):
    path, before = finished
    lines = before["cells.jsonl"].splitlines(keepends=True)
    lines[number] = lines[number][:-9] + (b"" if number == 4 else b"\n")
    (path / "cells.jsonl").write_bytes(b"".join(lines))
    result, notes = again(tmp_path)
    assert (result.cells["done"], result.reused) == (counting.N_CELLS, counting.N_CELLS - 1)
    assert (path / "records.csv").read_bytes() == before["records.csv"]  # in the order of the plan, too
    assert "cells.jsonl: 1 of 5 finished cells are damaged or missing and run again" in notes
    assert not (path / "records.csv.damaged").exists()


def test_a_forced_run_that_is_requeued_keeps_its_cells(tmp_path):
    def start(launch, task):
        return runner.run(counting.plan(tmp_path, 0, task, force=True), "test", lambda line: None, launch)

    class Stops(counting.Task):
        def run(self, cell):
            if cell.keys["part"] == 3:
                raise KeyboardInterrupt
            return super().run(cell)

    counting.run(tmp_path, 0)
    with pytest.raises(KeyboardInterrupt):
        start("a", Stops(0))
    assert (start("a", counting.Task(0)).reused, start("b", counting.Task(0)).reused) == (3, 0)


class NoSpace:
    """os.fsync on a disk that is full after some calls."""

    def __init__(self, calls):
        self.calls, self.real = calls, os.fsync

    def __call__(self, descriptor):
        self.calls -= 1
        if self.calls < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.real(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize("calls", range(0, 9))
def test_a_full_disk_is_one_line_and_the_same_command_continues(tmp_path, monkeypatch, calls):
    monkeypatch.setattr(records.os, "fsync", NoSpace(calls))
    with pytest.raises(UserError, match=r"cannot write \(No space left on device\); finished cells are kept"):
        again(tmp_path)
    monkeypatch.undo()
    again(tmp_path)
    assert counting.run(tmp_path / "calm", 0).startswith("5 done")
    tables = [counting.plan(folder, 0).path / "records.csv" for folder in (tmp_path, tmp_path / "calm")]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_a_run_continued_by_other_code_remembers_both(tmp_path, monkeypatch):
    said = []
    for sha, missing in (("a", True), ("b", False), ("b", False)):
        task = counting.Task(0)
        monkeypatch.setattr(machine, "git_state", lambda path, sha=sha: {"sha": sha, "dirty": False})
        if missing:
            task.run = lambda cell: 1 / cell.keys["part"] and counting.Task(0).run(cell)  # part 0 fails
        said.append([])
        plan = counting.plan(tmp_path, 0, task)
        runner.run(plan, "test", report=said[-1].append)
    notes = [sum("another version of the code" in line for line in lines) for lines in said]
    assert notes == [0, 1, 0]
    manifest = json.loads((plan.path / "run.json").read_text())
    assert manifest["git"]["sha"] == "b" and [attempt["git"]["sha"] for attempt in manifest["earlier"]] == ["a"]
    assert "made by 2 versions of the code" in collecting.collect(tmp_path)[0]


@pytest.mark.slow
def test_a_disk_that_has_no_room_for_the_figure_is_one_line_too(cli, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("spred_bench.reporting.plots.write_atomic", full)
    code, _, err = cli("task=landscape", "scale=smoke", "device=cpu")
    assert code == 2 and err.count("\n") == 1 and "landscape.png: cannot write (No space left on device)" in err
    [table] = tmp_path.glob("results/*/*/records.csv")
    monkeypatch.undo()
    code, out, _ = cli("task=landscape", "scale=smoke", "device=cpu", f"results_dir={tmp_path / 'results'}")
    assert code == 0 and "4 done (4 from an earlier run)" in out and table.with_name("landscape.png").exists()


LIMITED = "import sys, counting; from pathlib import Path; print(counting.run(Path(sys.argv[1]), 0))"


def run_limited(folder: Path, limit=None):
    path = os.pathsep.join([str(SUPPORT), os.environ["PYTHONPATH"]])
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        preexec_fn=limit,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_real_limit_of_the_file_system(tmp_path):
    limited = run_limited(tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700)))
    assert limited.returncode != 0 and "cannot write (File too large)" in limited.stderr
    assert run_limited(tmp_path).stdout.startswith("5 done")


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and sys.platform == "linux"
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(folder)]
    if not mounted or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_really_full(small_disk):
    with pytest.raises(UserError, match="No space left on device"):
        for seed in range(40):
            counting.run(small_disk, seed)
    whole = [path for path in small_disk.glob("counting/*") if (path / "records.csv").exists()]
    assert whole and all(len((path / "records.csv").read_text().splitlines()) == 16 for path in whole)
    (small_disk / "counting").rename(small_disk / "old")
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    (small_disk / "old").rename(small_disk / "counting")
    for seed in range(40):
        assert counting.run(small_disk, seed).startswith("5 done")


def test_a_read_only_disk_says_so(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match=r"cannot write .*Read-only file system"):
        records.check_writable(small_disk)
    with pytest.raises(UserError, match=r"cannot write there \(Read-only file system"):
        counting.run(small_disk, 0)
