"""Output that cannot be written, paths with unusual letters, and one spelling for verbs and runs."""

import os
import subprocess
import sys

import pytest

RUN = ["task=landscape", "scale=smoke", "device=cpu"]


def spred_bench(folder, words, stdout):
    command = [sys.executable, "-m", "spred_bench", *words]
    return subprocess.run(command, cwd=folder, env=os.environ, stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_reader_that_leaves_stops_no_run(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = spred_bench(tmp_path, RUN, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "") and len(list(tmp_path.glob("results/*/*/records.csv"))) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_device_is_one_line(tmp_path):
    with open("/dev/full", "w") as full:
        done = spred_bench(tmp_path, ["list"], full)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "standard output: cannot write (No space left on device)" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run#1", "Jürgen's Läufe", "my runs"])
def test_a_path_needs_no_quotes(cli, tmp_path, name):
    assert cli(*RUN, f"results_dir={name}")[0] == 0
    assert list((tmp_path / name).glob("landscape/*/records.csv"))
    assert cli("collect", f"results_dir={name}")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kappa=0.01,0.05"], "several values need -m (a run for each)\n"),
        (["solver=cd,lars"], "or solver=[cd,lars] (all in one run)"),
        (["lasso_scaling"], "did you mean task=lasso_scaling?"),
        (["experiment=fig3_p"], "did you mean 'fig3_paper', 'fig3_peers' or 'fig3_photographs'?"),
        (["--results-dir", "x"], "a run takes results_dir=..."),
        (["collect", "kappa=1"], "takes no kappa=...; it takes task=..., results_dir=..."),
        (["task._target_=7"], "task._target_=7"),
        (["results_dir=" + "a" * 300], "cannot write there (File name too long)"),
    ],
)
def test_a_slip_is_one_line_that_helps(cli, words, message):
    code, _, err = cli(*words)
    assert code == 2 and message in err and err.count("\n") == 1
