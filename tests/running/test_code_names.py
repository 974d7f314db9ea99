"""A configuration file is not a way to run code: only the command line names classes, programs and shell lines."""

import pickle

import pytest

GLOBAL = "# @package _global_\n"


class Unpickled:
    """Leaves a file where it is unpickled."""

    def __reduce__(self):
        return open, ("ran", "w")


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Unpickled()))
    (tmp_path / "evil.sh").write_text("#!/bin/sh\ntouch ran\n")
    (tmp_path / "evil.sh").chmod(0o755)

    def write(name, text):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


CALLBACK = "hydra: {callbacks: {evil: {_target_: pandas.read_pickle, filepath_or_buffer: evil.pkl}}}\n"
GROUP = "evil: {_target_: pandas.read_pickle, filepath_or_buffer: evil.pkl}\n"
FORMATTER = "hydra: {job_logging: {formatters: {evil: {(): pandas.read_pickle, filepath_or_buffer: evil.pkl}}}}\n"
LAUNCHER = "defaults: [override /hydra/launcher: basic]\nhydra: {mode: MULTIRUN, launcher: {_target_: os.system}}\n"
SHELL = "defaults: [override /launcher: slurm]\nhydra: {launcher: {setup: [./evil.sh]}}\n"
VARIABLE = "hydra: {job: {env_set: {LD_PRELOAD: evil.so}}}\n"
PYTHON = "evil:\n  _target_: spred_bench.components.solvers.adelie.Solver\n  python: ./evil.sh\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "words", "key"),
    [
        (
            "experiment/evil.yaml",
            GLOBAL + CALLBACK,
            ["experiment=evil"],
            "hydra.callbacks.evil._target_=pandas.read_pickle",
        ),
        ("experiment/evil.yaml", GLOBAL + CALLBACK, ["-m", "experiment=evil", "seed=0,1"], "hydra.callbacks.evil"),
        ("experiment/evil.yaml", GLOBAL + CALLBACK, ["-m", "experiment=fig1,evil"], "hydra.callbacks.evil"),
        ("experiment/evil.yaml", GLOBAL + CALLBACK, ["experiment=evil", "--cfg", "job"], "hydra.callbacks.evil"),
        ("hydra/callbacks/evil.yaml", GROUP, ["hydra/callbacks=evil"], "hydra.callbacks.evil"),
        ("experiment/evil.yaml", GLOBAL + FORMATTER, ["experiment=evil"], "hydra.job_logging.formatters.evil.()"),
        ("experiment/evil.yaml", GLOBAL + LAUNCHER, ["experiment=evil"], "hydra.launcher._target_=os.system"),
        ("experiment/evil.yaml", GLOBAL + VARIABLE, ["experiment=evil"], "hydra.job.env_set.LD_PRELOAD"),
        ("experiment/evil.yaml", GLOBAL + "allow: [os]\n", ["experiment=evil"], "allow=['os']"),
        ("solver/evil.yaml", PYTHON, ["solver=evil"], "solver.evil.python=./evil.sh"),
    ],
)
def test_code_that_a_file_names_is_refused(cli, tmp_path, mine, name, text, words, key):
    mine(name, text)
    code, _, err = cli("--config-dir", "mine", "scale=smoke", *words)
    assert code == 2 and err.count("\n") == 1
    assert f"{key}" in err and "stands in a configuration file; only the command line may name code" in err
    assert not (tmp_path / "ran").exists() and not (tmp_path / "results").exists()


def test_shell_lines_of_a_launcher_are_typed(cli, mine):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    mine("experiment/evil.yaml", GLOBAL + SHELL)
    code, _, err = cli("--config-dir", "mine", "experiment=evil", "task=landscape")
    assert code == 2 and "hydra.launcher.setup=['./evil.sh'] stands in a configuration file" in err


def test_what_is_typed_runs(cli, tmp_path, mine):
    mine("solver/evil.yaml", PYTHON)
    words = ["--config-dir", "mine", "scale=smoke", "data=diabetes", "solver=evil"]
    assert cli(*words, "solver.evil.python=./evil.sh")[0] in (0, 1)
    assert (tmp_path / "ran").exists()


@pytest.mark.slow
def test_threads_may_be_set_in_a_file(cli, mine):
    mine("experiment/own.yaml", GLOBAL + "hydra: {job: {env_set: {OMP_NUM_THREADS: '1'}}}\n")
    assert cli("--config-dir", "mine", "experiment=own", "task=landscape", "scale=smoke", "device=cpu")[0] == 0


def test_a_saved_pickle_is_not_run_again(cli):
    code, _, err = cli("--experimental-rerun", "job.pkl")
    assert code == 2 and "repeat the command instead" in err


def test_a_file_that_is_no_yaml_is_one_line(cli, mine):
    mine("solver/broken.yaml", "broken: {a: 1")
    code, _, err = cli("--config-dir", "mine", "solver=broken")
    assert code == 2 and err.count("\n") == 1 and "broken.yaml" in err
