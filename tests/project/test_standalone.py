"""The library works without the packages of the runner, and loads torch only where torch computes."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import spred_bench
from paths import ROOT

LIBRARY = ("estimators", "lasso", "networks", "redundancy", "sparse_coding", "system", "training")
LAZY = [
    "spred_bench",
    "spred_bench.estimators",
    "spred_bench.networks",
    "spred_bench.redundancy",
    "spred_bench.training",
]

WITHOUT_RUNNER = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"hydra", "omegaconf", "pydantic", "GEOparse", "jinja2", "matplotlib"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import spred_bench

packages = [spred_bench, *(importlib.import_module(f"spred_bench.{name}") for name in sys.argv[1:])]
for package in packages[1:]:
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("pool_server"):  # a script that another process runs
            importlib.import_module(module.name)
names = [getattr(package, name) for package in packages for name in getattr(package, "__all__", [])]

import numpy as np
import torch

X = np.random.default_rng(0).standard_normal((40, 6))
lasso = spred_bench.SpredLasso(alpha=0.1).fit(X, X[:, 0])
model = torch.nn.Sequential(torch.nn.Linear(4, 3))
spred_bench.reparametrize(model)
with torch.no_grad():
    before = model(torch.ones(1, 4))
spred_bench.merge(model)
print(len(names), np.count_nonzero(lasso.coef_), torch.allclose(model(torch.ones(1, 4)), before, atol=1e-6))
"""


def run(script: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)


@pytest.mark.slow
def test_the_library_works_without_the_packages_of_the_runner():
    result = run(WITHOUT_RUNNER, *LIBRARY)
    assert result.returncode == 0, result.stderr
    number, nonzeros, same = result.stdout.split()
    assert int(number) > 40 and nonzeros == "1" and same == "True"


@pytest.mark.parametrize("module", [*LAZY, "spred_bench.lasso", "spred_bench.redundancy.strengths"])
def test_importing_does_not_load_torch(module):
    heavy = "torch", "torchvision", "sklearn", "numba", "pandas", "matplotlib", "hydra"
    result = run(f"import sys, {module}; print(sorted(set({heavy}) & set(sys.modules)))")
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_see_the_names_that_are_loaded_late(package):
    tree = ast.parse((ROOT / Path(*package.split(".")) / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body for alias in node.names}
    assert seen == set(importlib.import_module(package).__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'spred_bench' has no attribute 'SpredLaso'"):
        spred_bench.SpredLaso  # noqa: B018
