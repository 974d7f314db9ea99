"""Verdicts follow the rows: falsified rows change them, missing rows are never a pass, wrong rules are refused."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spred_bench import listing
from spred_bench.claims import evidence, rules, verdicts
from spred_bench.claims.measure import condition, measure, select
from spred_bench.claims.rules import Along, Claim, Quantity, Statistic
from spred_bench.errors import UserError

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / evidence.REFERENCE


def table_of(results: Path) -> pd.DataFrame:
    return verdicts.judge(rules.load(), evidence.read(results)).set_index("claim")


@pytest.fixture(scope="module")
def reference():
    return table_of(REFERENCE)


def falsified(tmp_path, name: str, change) -> pd.DataFrame:
    """Verdicts where the rows of one reference were changed."""
    target = tmp_path / name
    shutil.copytree(REFERENCE / name, target)
    rows = pd.read_csv(target / "records.csv", low_memory=False)
    change(rows)
    rows.to_csv(target / "records.csv", index=False)
    return table_of(tmp_path)


def test_a_falsified_row_changes_the_verdict(reference, tmp_path):
    assert reference.loc["orthogonal_support", "verdict"] == "holds"

    def one_wrong_zero(rows):
        wrong = rows.index[(rows["metric"] == "support_agreement") & (rows["method"] == "spred_gd")][7]
        rows.loc[wrong, "value"] = 0.5

    changed = falsified(tmp_path, "lasso_orthogonal", one_wrong_zero)
    assert changed.loc["orthogonal_support", "verdict"] == "does not hold"
    assert changed.loc["orthogonal_support", "value"] == 0.5
    assert changed.loc["orthogonal_objective", "verdict"] == "holds"


def test_a_falsified_rival_changes_the_verdict(reference, tmp_path):
    assert reference.loc["lasso_todays_solvers", "verdict"] == "holds"

    def faster_celer(rows):
        rows.loc[(rows["metric"] == "time_to_gap_s") & (rows["method"] == "celer"), "value"] /= 100

    changed = falsified(tmp_path, "fig2_scaling", faster_celer)
    assert changed.loc["lasso_todays_solvers", "verdict"] == "does not hold"


def test_a_missing_value_keeps_a_claim_from_holding(tmp_path):
    def lost(rows):
        timed = (rows["metric"] == "time_to_gap_s") & (rows["method"] == "spred_newton")
        rows.loc[timed & (rows["n_features"] == 100_000) & (rows["seed"] == 1), "value"] = np.nan

    line = falsified(tmp_path, "fig2_scaling", lost).loc["lasso_todays_solvers"]
    assert line["verdict"] == "holds in part"
    assert "4 of 24 without a value" in line["note"]


def test_what_was_not_measured_is_not_run_here(reference, tmp_path):
    shutil.copytree(REFERENCE / "landscape", tmp_path / "landscape")
    found = table_of(tmp_path)
    others = found[~found.index.str.startswith("landscape")]
    assert set(others["verdict"]) == {"not run here"} and others["value"].isna().all() and (others["n"] == 0).all()
    assert found.loc["landscape_same_minimum", "verdict"] == "holds"
    assert len(found) == len(reference)


def test_smoke_rows_are_no_evidence(cli, tmp_path):
    assert cli("task=landscape", "scale=smoke")[0] == 0
    code, out, _ = cli("claims", "results")
    assert code == 0 and "0 hold, 0 hold in part, 0 do not hold" in out
    assert cli("task=landscape")[0] == 0
    code, out, _ = cli("claims", "results", "--output", "tables/claims.csv")
    assert code == 0 and "3 hold, 1 hold in part" in out
    written = pd.read_csv(tmp_path / "tables" / "claims.csv").set_index("claim")
    assert written.loc["landscape_mirrored", "verdict"] == "holds"
    assert written.loc["landscape_mirrored", "scale"] == "cpu"


def test_runs_and_their_merged_table_count_once(cli, tmp_path):
    assert cli("task=landscape")[0] == 0
    alone = evidence.all_rows(evidence.read(tmp_path / "results"))
    assert cli("collect", "--output", "results/fig_own")[0] == 0
    folders = evidence.read(tmp_path / "results")
    assert [folder.name for folder in folders] == ["fig_own"]
    assert len(evidence.all_rows(folders)) == len(alone)
    assert set(folders[0].records["scale"]) == {"cpu"}


def test_every_mistake_of_a_user_is_one_line(cli, tmp_path):
    code, _, err = cli("claims")
    assert code == 2 and "results/reference is not a folder" in err
    (tmp_path / "empty").mkdir()
    code, _, err = cli("claims", "empty")
    assert code == 2 and "no rows in it" in err
    (tmp_path / "other" / "x").mkdir(parents=True)
    (tmp_path / "other" / "x" / "records.csv").write_text("a,b\n1,2\n")
    code, _, err = cli("claims", "other")
    assert code == 2 and "not a table of records" in err


def test_paper_runs_are_listed_with_hours_and_their_source(cli):
    code, out, _ = cli("claims", "--paper")
    assert code == 0 and "spred-bench experiment=fig2_scaling scale=paper" in out
    for experiment in rules.load():
        for run in experiment.paper:
            assert run.command in out and run.estimate


# The rules themselves.

RULE = {
    **{"id": "x", "title": "t", "command": "c"},
    "claims": [{"id": "a", "says": "s", "measured": "m", "of": {"rows": {"metric": "m"}}, "holds": "<= 1"}],
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"hold": "<= 1"}, "hold"), ({"holds": "small"}, "comparison"), ({"then": "mode"}, "then: mode")]
    + [({"of": {"take": "slope"}}, "needs along"), ({"of": {"take": "first"}}, "take: first"), ({"per": 3}, "per")],
)
def test_a_wrong_rule_is_refused_by_name(change, complaint, tmp_path):
    from omegaconf import OmegaConf

    (claim,) = RULE["claims"]
    OmegaConf.save(OmegaConf.create({**RULE, "claims": [{**claim, **change}]}), tmp_path / "own.yaml")
    with pytest.raises(UserError, match=rf"own\.yaml.*{complaint}"):
        rules.load(tmp_path)


def quantities(claim: Claim):
    for quantity in filter(None, (claim.of, claim.against)):
        yield quantity
        if isinstance(quantity.along, Along):
            yield quantity.along


@pytest.mark.parametrize("claim", [c for e in rules.load() for c in e.claims], ids=lambda claim: claim.id)
def test_rules_speak_of_tasks_and_metrics_that_exist(claim):
    package = "".join(path.read_text() for path in (ROOT / "spred_bench").rglob("*.py"))
    for quantity in quantities(claim):
        task = quantity.rows["task"]
        if task not in listing.groups()["task"]:
            pytest.skip(f"there is no task {task} yet")
        for metric in np.atleast_1d(quantity.rows["metric"]):
            assert f'"{metric}"' in package
    for command in claim.command.split("; "):
        group, _, name = command.removeprefix("spred-bench ").split()[0].partition("=") if command else ("", "", "")
        assert not group or name in listing.groups()[group]


# The vocabulary.

ROWS = pd.DataFrame(
    {
        "method": ["a", "a", "a", "b", "b", "b"],
        "seed": [0, 1, 2, 0, 1, 2],
        "size": [1.0, 10.0, 100.0, 1.0, 10.0, 100.0],
        "value": [2.0, 4.0, 8.0, 1.0, 1.0, np.nan],
        "run_id": "r",
    }
)


def number(of: dict, per=("seed",), against=None, **options):
    statistic = Statistic(of=Quantity(**of), per=list(per), against=against and Quantity(**against), **options)
    found = measure(ROWS, statistic)
    return found and found.value


def test_groups_are_reduced_compared_and_summed_up():
    a, b = {"rows": {"method": "a"}}, {"rows": {"method": "b"}}
    assert number(a) == 4 and number(a, then="max") == 8 and number(a, then="share >= 4") == pytest.approx(2 / 3)
    assert number(a, then="geomean") == pytest.approx(4.0)
    assert number({**a, "take": "sum"}, per=[]) == 14
    assert number({**a, "take": "log_slope", "along": "size"}, per=[]) == pytest.approx(np.log10(2))
    found = measure(ROWS, Statistic(of=Quantity(**a), per=["seed"], against=Quantity(**b)))
    assert (found.value, found.n, found.missing) == (3.0, 2, 1)
    assert number(a, against=b, compare="difference", then="max") == 3
    assert number({"rows": {"method": "c"}}) is None and number({"rows": {"colour": "red"}}) is None


def test_a_rival_that_is_nowhere_is_missing_and_not_beaten():
    assert number({"rows": {"method": "a"}}, against={"rows": {"method": "c"}}) is None


def test_the_setting_is_chosen_on_dev_and_told_on_test():
    rows = pd.DataFrame(
        [
            {"kappa": kappa, "seed": seed, "split": split, "value": value}
            for kappa, dev, test in ((0.1, 0.9, 0.5), (0.2, 0.8, 0.7))
            for seed in (0, 1)
            for split, value in (("dev", dev), ("test", test + seed / 10))
        ]
    )
    of = {"rows": {"split": "test"}, "chosen": {"over": ["kappa"], "by": {"split": "dev"}}}
    found = measure(rows, Statistic(of=Quantity(**of), per=["seed"], then="mean"))
    assert found.value == pytest.approx(0.55) and found.n == 2  # 0.75 would be chosen on test


def test_a_target_is_reached_at_the_first_time_below_it():
    curve = pd.DataFrame({"method": "a", "metric": "objective", "time_s": [1.0, 2, 3], "value": [9.0, 4, 3], "seed": 0})
    end = pd.DataFrame({"method": ["b"], "metric": "final", "time_s": 60.0, "value": 4.5, "seed": 0})
    rows = pd.concat([curve, end])
    target = {"rows": {"metric": "final", "method": "b"}, "match": ["seed"]}
    reach = {"rows": {"metric": "objective", "method": "a"}, "take": "first_time", "along": target}
    assert measure(rows, Statistic(of=Quantity(**reach))).value == 2
    rows.loc[rows["metric"] == "final", "value"] = 1.0
    assert measure(rows, Statistic(of=Quantity(**reach))) is None


def test_series_settle_where_they_stay():
    series = pd.DataFrame({"step": [1, 2, 3, 4, 5], "value": [0.0, 0.5, 0.2, 0.51, 0.5], "run_id": "r"})
    found = measure(series, Statistic(of=Quantity(take="settled", along="step")))
    assert found.value == 4


def test_rows_are_chosen_by_value_list_and_condition():
    assert len(select(ROWS, {"method": ["a", "b"], "size": "> 1"})) == 4
    assert len(select(ROWS, {"size": 10.000000001})) == 2
    assert len(select(ROWS, {"value": "<= 100"})) == 5  # a missing value fulfils nothing


def test_the_interval_holds_the_value_and_says_what_it_is():
    values = pd.DataFrame({"seed": range(40), "value": np.linspace(0, 1, 40), "run_id": "r"})
    mean = Statistic(of=Quantity(), per=["seed"], then="mean")
    found = measure(values, mean)
    assert found.low < found.value < found.high and found.interval == "95 % bootstrap"
    assert found.high - found.low == pytest.approx(4 * 0.3 / 40**0.5, rel=0.2)
    assert measure(values[:3], mean).interval == "range"


@pytest.mark.parametrize(("text", "yes", "no"), [("<= 1", 1.0, 1.1), ("> -2", 0, -2), ("0.9 to 1.1", 0.9, 1.2)])
def test_conditions(text, yes, no):
    assert condition(text)(yes) and not condition(text)(no)
