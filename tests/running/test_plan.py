"""From the words of a command to the identity of its run."""

import json

import pytest

from paths import REFERENCE
from spred_bench.running import composition, plan, records


def made(*words: str) -> plan.Plan:
    return plan.assemble(composition.resolved(["task=lasso_scaling", "scale=smoke", *words]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["kappa=1"], ["kappa=1.0"]),
        (["seed=2", "task.lambda_ratios=[1,0.5]"], ["seed=2.0", "task.lambda_ratios=[1.0,5e-1]"]),
        (
            ["solver=spred_sgd", "solver.spred_sgd.learning_rate=[1,2]"],
            ["solver=spred_sgd", "solver.spred_sgd.learning_rate=[1.0,2e0]"],
        ),
    ],
)
def test_equal_numbers_are_one_run_with_the_same_cells(one, other):
    one, other = made(*one), made(*other)
    assert one.run_id == other.run_id and one.task.cells() == other.task.cells()


def test_true_is_no_number_and_other_numbers_are_other_runs():
    assert plan.one_spelling([True, {"a": 1.0}, 0.5, 1e400]) == [True, {"a": 1}, 0.5, float("inf")]
    assert plan.one_spelling([True])[0] is True
    assert len({made(f"kappa={kappa}").run_id for kappa in ("1", "1.5", "2.0", "null")}) == 4


def test_reference_manifests_have_their_ids():
    manifests = [json.loads(path.read_text()) for path in REFERENCE.glob("*/manifests/*.json")]
    assert manifests and all(records.run_id(one["config"]) == one["run_id"] for one in manifests)


def test_a_run_of_an_earlier_version_is_continued(cli, tmp_path):
    """Version 0.1.0 named components without `components`: the same id, and the same run."""
    words = ("task=landscape", "scale=smoke")
    assert cli(*words)[0] == 0
    (run,) = (tmp_path / "results" / "landscape").iterdir()
    for name in ("run.json", "config.yaml"):
        text = (run / name).read_text()
        assert "spred_bench.components.tasks" in text
        (run / name).write_text(text.replace("spred_bench.components.", "spred_bench."))
    code, out, err = cli(*words)
    assert (code, err) == (0, "") and "4 done (4 from an earlier run)" in out
