"""Figures as experiments: each composes and builds small, and a sweep inside one can be narrowed and is merged."""

import pandas as pd
import pytest

from spred_bench.errors import UserError
from spred_bench.running import composition, listing
from spred_bench.running.words import read

SWEEP = """\
# @package _global_
defaults:
  - override /task: landscape
hydra:
  mode: MULTIRUN
  launcher:
    n_jobs: 2
  sweeper:
    params:
      task.centres: "[0.5],[1.0],[1.5]"
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", listing.groups()["experiment"])
def test_every_experiment_builds_at_smoke_scale(name, tmp_path):
    try:
        composition.check(read([f"experiment={name}", "scale=smoke", f"results_dir={tmp_path}"])[0])
    except UserError as error:
        if not any(words in str(error) for words in ("spred-bench prepare", "no such file", "no such folder")):
            raise
        pytest.skip(str(error))
    text = (listing.config_dir() / "experiment" / f"{name}.yaml").read_text().splitlines()
    assert text[0] == "# @package _global_"
    assert listing.title("experiment", name)
    assert text[2].startswith(f"# spred-bench experiment={name}"), "the command, under the title"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    (tmp_path / "own" / "experiment" / "fig_own.yaml").write_text(SWEEP)
    return ["--config-dir", "own", "experiment=fig_own", "scale=smoke", "device=cpu"]


@pytest.mark.slow
def test_the_runs_of_an_experiment_are_merged_and_drawn(cli, tmp_path, own):
    code, out, _ = cli(*own)
    assert code == 0 and "3 runs: 3 done" in out
    table = pd.read_csv(tmp_path / "results" / "fig_own" / "records.csv")
    assert set(table["c"]) == {0.5, 1.0, 1.5}
    assert (tmp_path / "results" / "fig_own" / "landscape.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_value_of_the_command_line_narrows_it(cli, tmp_path, own):
    code, out, _ = cli(*own, "task.centres=[1.0]")
    assert code == 0 and "1 runs: 1 done" in out
    assert set(pd.read_csv(tmp_path / "results" / "fig_own" / "records.csv")["c"]) == {1.0}


def test_the_device_of_a_slurm_run_is_not_the_sender_s():
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ["task=landscape", "launcher=slurm", "hydra.launcher.gpus_per_node=1", "seed=0,1"]
    composition.check(read([*words, "device=cuda"])[0])
    slurm = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"}
    config = composition.resolved(["task=landscape", "device=auto"])
    assert composition.to_plan(config, {**slurm, "gpus_per_node": 1}).config["device"] == "cuda"
    assert composition.to_plan(config, slurm).config["device"] == "cpu"


def test_the_command_line_overrules_an_experiment():
    assert composition.resolved(["experiment=fig7_histograms"])["kappa"] == 2.5e-4
    own = composition.resolved(["experiment=pruning_variants"])
    assert own["seed"] == 10
    given = composition.resolved(["experiment=pruning_variants", "seed=3", "kappa=0.1"])
    assert (given["seed"], given["kappa"]) == (3, 0.1)


def test_a_wrong_value_in_a_sweep_stops_it_before_writing(cli, tmp_path, own):
    code, _, err = cli(*own, "kappa=0.2,-1")
    assert code == 2 and "kappa=-1" in err
    assert not (tmp_path / "results").exists()


def test_overrides_for_a_replaced_component_are_dropped(cli, tmp_path):
    words = ["experiment=fig2_scaling", "data=[gaussian]", "scale=smoke", "~data.correlated"]
    assert set(composition.resolved(words)["data"]) == {"gaussian", "allaml", "glioma"}
    code, _, err = cli(*words, "data.diabetes.quadratic=false")
    assert code == 2 and err.count("\n") == 1
    assert "data.diabetes.quadratic=false: diabetes is not chosen; data=[gaussian,allaml,glioma]" in err
    code, _, err = cli(*words, "+data.own.n=1")
    assert code == 2 and "data.own={'n': 1}: expected a component" in err
