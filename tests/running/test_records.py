"""The journal and the files of a run: whole or not there."""

import pytest

from spred_bench.errors import UserError
from spred_bench.reporting.rows import Cell
from spred_bench.running import records
from spred_bench.system import files


def entry(cell: str, status="done", value=1.0):
    return {"cell": cell, "status": status, "rows": [{"metric": "m", "value": value, "status": status}]}


@pytest.fixture
def run(tmp_path):
    with records.open_run(tmp_path, "task", "abc") as directory:
        yield directory


def test_cell_id_names_what_it_is():
    cell = Cell("gaussian", "cd", 3, {"lambda_ratio": 0.1})
    assert cell.id == "gaussian/cd/seed=3/lambda_ratio=0.1"
    assert cell.columns() == {"dataset": "gaussian", "method": "cd", "seed": 3, "lambda_ratio": 0.1}


def test_journal_keeps_the_last_entry_of_a_cell(run):
    run.append(entry("a", "failed"))
    run.append(entry("b"))
    run.append(entry("a", value=2.0))
    assert list(run.cells()) == ["a", "b"]
    assert run.cells()["a"]["rows"][0]["value"] == 2.0


@pytest.mark.parametrize("kept", [1, 9, 10, 40, -1])
def test_a_line_cut_anywhere_is_as_if_never_written(run, kept):
    run.append(entry("a"))
    whole = run.journal.read_bytes()
    run.append(entry("b"))
    added = run.journal.read_bytes()[len(whole) :]
    run.journal.write_bytes(whole + added[:kept])
    assert list(run.cells()) in (["a"], ["a", "b"] if kept == -1 else ["a"])
    run.append(entry("c"))
    assert [key for key in run.cells() if key != "b"] == ["a", "c"]


def test_a_damaged_line_is_passed_over(run):
    run.append(entry("a"))
    run.append(entry("b"))
    text = run.journal.read_bytes()
    run.journal.write_bytes(text.replace(b'"metric": "m"', b'"metric": "n"', 1))
    assert list(run.cells()) == ["b"]


def test_records_csv_has_fixed_columns_and_empty_for_missing(run):
    run.append({"cell": "a", "status": "done", "rows": [{"metric": "m", "value": 0.1, "kappa": None, "seed": 0}]})
    lines = run.write_records(["kappa"]).read_text().splitlines()
    assert lines[0] == "run_id,task,dataset,method,seed,kappa,step,time_s,threads,split,metric,value,status,note"
    assert lines[1] == "abc,task,,,0,,,,,,m,0.1,,"


def test_a_row_with_an_undeclared_column_is_an_error_not_a_loss(run):
    run.append({"cell": "a", "status": "done", "rows": [{"metric": "m", "surprise": 1}]})
    with pytest.raises(ValueError, match="surprise"):
        run.write_records([])


def test_write_atomic_leaves_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "file"
    files.write_atomic(target, "old")
    with pytest.raises(TypeError):
        files.write_atomic(target, 3)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_second_writer_is_refused(run, tmp_path):
    with pytest.raises(UserError, match="another process"), records.open_run(tmp_path, "task", "abc"):
        pass


def test_run_id_depends_on_content_not_on_order():
    assert records.run_id({"a": 1, "b": 2}) == records.run_id({"b": 2, "a": 1}) != records.run_id({"a": 2, "b": 1})


def test_unreadable_manifest_is_named(tmp_path):
    with records.open_run(tmp_path, "task", "one") as directory:
        directory.manifest_path.write_text('{"schema_version": 1, ')
        with pytest.raises(UserError, match=r"run\.json is not readable"):
            directory.manifest()
