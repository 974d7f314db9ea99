"""The verbs that look before a run does: doctor and prepare."""

from pathlib import Path

import pytest

from spred_bench.commands import doctor
from spred_bench.components import contract
from spred_bench.components.data import BaseSource
from spred_bench.errors import Skip, UserError
from spred_bench.running import listing


@pytest.fixture
def few(monkeypatch):
    """A catalogue that is examined in a moment."""
    found = {"solver": ["cd", "lars"], "data": ["diabetes", "file"]}
    monkeypatch.setattr(listing, "groups", lambda: found)


def test_doctor_finds_nothing_in_the_way(cli, few, tmp_path):
    code, out, _ = cli("doctor")
    assert code == 0
    for word in (
        "version",
        "torch computes",
        "threads",
        "results_dir",
        "locks",
        "cd",
        "GiB free",
        "joblib",
        "diabetes",
    ):
        assert word in out
    assert "nothing is in the way" in out
    assert list(tmp_path.iterdir()) == []


def test_a_missing_peer_is_a_note_and_no_problem(cli, few, monkeypatch):
    from spred_bench.components.solvers import cd

    def missing(self, problem, monitor):
        raise Skip("not installed: pip install it")

    monkeypatch.setattr(cd.Solver, "solve", missing)
    code, out, _ = cli("doctor")
    assert code == 0 and "skipped: not installed: pip install it" in out


def test_doctor_exits_1_for_a_problem(cli, few, monkeypatch):
    from spred_bench.components.solvers import lars

    monkeypatch.setattr(lars.Solver, "solve", lambda self, problem, monitor: 1 / 0)
    code, out, _ = cli("doctor", "--results-dir", "/proc/results")
    assert code == 1
    assert "ZeroDivisionError" in out and "cannot write" in out and "2 problems" in out


def test_doctor_without_a_package(monkeypatch):
    monkeypatch.setattr(doctor, "_CORE", ("no-such-package",))
    assert (doctor.PROBLEM, "no-such-package", "not installed: pip install no-such-package") in list(doctor._program())


class Wanting(BaseSource):
    """A source that offers `prepare`."""

    def __init__(self, data_dir: Path):
        self.data_dir = data_dir

    def prepare(self) -> None:
        self.data_dir.mkdir()
        (self.data_dir / "file").write_text("here")

    def check(self) -> None:
        if not (self.data_dir / "file").exists():
            raise UserError("no file; spred-bench prepare fetches it")

    def provenance(self) -> dict:
        return {"bytes": (self.data_dir / "file").stat().st_size}

    def load(self, seed: int) -> None:
        """Nothing: only `prepare` is tried."""


def test_prepare_lets_each_source_fetch_and_checks_it(cli, monkeypatch, tmp_path):
    monkeypatch.setattr(contract, "build_group", lambda group, specs, shared: {"wanting": Wanting(shared["data_dir"])})
    code, out, _ = cli("prepare", "data_dir=here")
    assert code == 0 and "wanting: ready and checked, bytes 4" in out
    assert (tmp_path / "here" / "file").exists()


def test_prepare_names_what_is_still_missing(cli, tmp_path):
    code, out, err = cli("prepare", "data=[diabetes,file]", "data.file.path=own.npz", "data_dir=here")
    assert code == 2 and "diabetes[quadratic=True]: ready" in out
    assert "own.npz: no such file here nor in data_dir=here" in err and err.count("\n") == 1


def test_prepare_of_a_task_without_data(cli):
    assert "nothing to prepare" in cli("prepare", "task=landscape")[1]


def test_prepare_knows_its_words(cli):
    code, _, err = cli("prepare", "dta=diabetes")
    assert code == 2 and "unknown key dta; did you mean 'data'?" in err
