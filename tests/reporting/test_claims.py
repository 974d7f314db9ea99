"""Verdicts follow the rows: falsified rows change them, missing rows are never a pass, wrong rules are refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paths import REFERENCE, ROOT
from spred_bench.errors import UserError
from spred_bench.reporting.claims import evidence, rules, verdicts
from spred_bench.reporting.claims.rules import Along, Claim
from spred_bench.running import listing


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


@pytest.mark.slow
def test_a_falsified_row_changes_the_verdict(reference, tmp_path):
    assert reference.loc["orthogonal_support", "verdict"] == "holds"

    def one_wrong_zero(rows):
        wrong = rows.index[(rows["metric"] == "support_agreement") & (rows["method"] == "spred_gd")][7]
        rows.loc[wrong, "value"] = 0.5

    changed = falsified(tmp_path, "lasso_orthogonal", one_wrong_zero)
    assert changed.loc["orthogonal_support", "verdict"] == "does not hold"
    assert changed.loc["orthogonal_support", "value"] == 0.5
    assert changed.loc["orthogonal_objective", "verdict"] == "holds"


@pytest.mark.slow
def test_a_falsified_rival_changes_the_verdict(reference, tmp_path):
    assert reference.loc["lasso_todays_solvers", "verdict"] == "holds"

    def faster_celer(rows):
        rows.loc[(rows["metric"] == "time_to_gap_s") & (rows["method"] == "celer"), "value"] /= 100

    changed = falsified(tmp_path, "fig2_scaling", faster_celer)
    assert changed.loc["lasso_todays_solvers", "verdict"] == "does not hold"


@pytest.mark.slow
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


@pytest.mark.slow
def test_smoke_rows_are_no_evidence(cli, tmp_path):
    assert cli("task=landscape", "scale=smoke")[0] == 0
    code, out, _ = cli("claims", "results")
    assert code == 0 and "0 hold, 0 hold in part, 0 do not hold" in out
    assert "rows of scale=smoke were left out" in out
    assert cli("task=landscape")[0] == 0
    code, out, _ = cli("claims", "results", "--output", "tables/claims.csv")
    assert code == 0 and "3 hold, 1 hold in part" in out
    written = pd.read_csv(tmp_path / "tables" / "claims.csv").set_index("claim")
    assert written.loc["landscape_mirrored", "verdict"] == "holds"
    assert written.loc["landscape_mirrored", "scale"] == "cpu"


@pytest.mark.slow
def test_runs_and_their_merged_table_count_once(cli, tmp_path):
    assert cli("task=landscape")[0] == 0
    alone = evidence.all_rows(evidence.read(tmp_path / "results"))
    assert cli("collect", "--output", "results/fig_own")[0] == 0
    folders = evidence.read(tmp_path / "results")
    assert [folder.name for folder in folders] == ["fig_own"]
    assert len(evidence.all_rows(folders)) == len(alone)
    assert set(folders[0].records["scale"]) == {"cpu"}


@pytest.mark.slow
def test_a_run_that_went_on_after_a_merge_counts_as_it_is(cli, tmp_path):
    assert cli("task=landscape")[0] == 0
    assert cli("collect", "--output", "results/fig_own")[0] == 0
    (table,) = tmp_path.glob("results/landscape/*/records.csv")
    rows = pd.read_csv(table)
    rows.assign(value=7.0).to_csv(table, index=False)
    (folder,) = evidence.read(tmp_path / "results")
    assert folder.name == "fig_own" and len(folder.records) == len(rows)
    assert set(folder.records["value"]) == {7.0}


def test_a_run_without_cells_keeps_the_others_numeric(tmp_path):
    rows = "run_id,task,metric,value,time_s\n"
    for run, own in (("aa", "aa,landscape,objective,1.5,0.1\n"), ("bb", "")):
        (tmp_path / "landscape" / run).mkdir(parents=True)
        (tmp_path / "landscape" / run / "records.csv").write_text(rows + own)
        (tmp_path / "landscape" / run / "run.json").write_text(json.dumps({"run_id": run, "config": {"scale": "cpu"}}))
    (folder,) = evidence.read(tmp_path)
    assert folder.records["value"].dtype == folder.records["time_s"].dtype == float


def test_rows_of_a_script_count_if_their_manifest_is_there(tmp_path):
    folder = tmp_path / "step_times"
    folder.mkdir()
    (folder / "records.csv").write_text("run_id,task,metric,value,device\n,times,step_s,3,cuda\n")
    assert evidence.read(tmp_path)[0].records["scale"].isna().all()
    (folder / "run.json").write_text('{"environment": {}}')
    (read,) = evidence.read(tmp_path)
    assert list(read.records["scale"]) == ["script"] and list(read.records["device"]) == ["cuda"]


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
    code, _, err = cli("plot", "empty")
    assert code == 2 and "plot empty: holds no records.csv; spred-bench collect" in err
    code, _, err = cli("plot", "other")
    assert code == 2 and "plot other: holds no records.csv; name a folder below it, such as other/x" in err


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
    files = [*(ROOT / "spred_bench").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
    sources = "".join(path.read_text() for path in files)
    for quantity in quantities(claim):
        task = quantity.rows["task"]
        if task not in listing.groups()["task"] and f'"{task}"' not in sources:
            pytest.skip(f"there is no task {task} yet")
        for metric in np.atleast_1d(quantity.rows["metric"]):
            assert f'"{metric}"' in sources
    for command in filter(lambda words: words.startswith("spred-bench"), claim.command.split("; ")):
        group, _, name = command.removeprefix("spred-bench ").split()[0].partition("=") if command else ("", "", "")
        assert not group or name in listing.groups()[group]


def test_without_an_argument_a_user_s_runs_are_judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert evidence.default_folder() == evidence.REFERENCE
    run = tmp_path / "results" / "landscape" / "abc"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert str(evidence.default_folder()) == "results"
