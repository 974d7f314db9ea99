"""The wheel, not only the checkout, gives a working program."""

import os
import subprocess
import sys

import pytest

from paths import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder that a wheel of this tree was installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("spred_bench-*.whl")
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--target", str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


@pytest.mark.slow
def test_the_wheel_holds_every_configuration_rule_and_template(installed):
    def tree(folder):
        return {
            path.relative_to(folder) for path in folder.rglob("*") if path.suffix in (".yaml", ".j2", ".css", ".js")
        }

    assert tree(installed / "spred_bench" / "configs") == tree(ROOT / "configs")
    for folder in ("reporting/claims", "commands/report"):
        assert tree(installed / "spred_bench" / folder) == tree(ROOT / "spred_bench" / folder) != set()


@pytest.mark.slow
def test_the_installed_program_runs_from_an_empty_directory(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def run(*words):
        command = [sys.executable, str(installed / "bin/spred-bench"), *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert "lasso_scaling" in run("list").stdout
    assert list(tmp_path.iterdir()) == []
    words = ["scale=smoke", "data=diabetes", "data.diabetes.quadratic=false", "solver=[cd,fista]"]
    result = run(*words)
    assert result.returncode == 0, result.stderr
    assert "4 done, 0 failed" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"results"}
    assert (next(tmp_path.glob("results/lasso_scaling/*")) / "lasso_scaling.png").exists()
