"""Components from yaml: what is right builds, what is wrong is named in one line."""

import pytest
import yaml

from spred_bench.components import contract
from spred_bench.components.data import BaseSource
from spred_bench.components.data.regression import Regression
from spred_bench.errors import UserError
from spred_bench.running import plan
from spred_bench.system.files import config_dir

CD = {"_target_": "spred_bench.components.solvers.cd.Solver"}
GAUSSIAN = {"_target_": "spred_bench.components.data.gaussian.Source"}


def test_build_passes_shared_values_only_where_they_are_taken():
    file = {"_target_": "spred_bench.components.data.file.Source", "path": "x.npz"}
    assert str(contract.build("data.file", file, {"data_dir": "here", "seed": 3}).data_dir) == "here"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({**CD, "max_itr": 3}, "unknown key solver.cd.max_itr; did you mean 'max_iter'?"),
        ({**CD, "max_iter": "many"}, "solver.cd.max_iter=many: input should be a valid integer"),
        ({**CD, "max_iter": 0}, "solver.cd.max_iter=0: input should be greater than 0"),
        (
            {"_target_": "os.system"},
            "solver.cd._target_=os.system: is no class of spred_bench; to run it, add allow=[os]",
        ),
        (
            {"_target_": "spred_bench.components.solvers.cdd.Solver"},
            "No module named 'spred_bench.components.solvers.cdd'",
        ),
        ("cd", "solver.cd=cd: expected a component"),
    ],
)
def test_mistakes_are_one_line(spec, message):
    with pytest.raises(UserError) as raised:
        contract.build("solver.cd", spec)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_parameter_is_named():
    with pytest.raises(UserError, match=r"data\.file\.path is not set"):
        contract.build("data.file", {"_target_": "spred_bench.components.data.file.Source"})


def test_infinite_values_are_refused():
    with pytest.raises(UserError, match="finite"):
        contract.build("data.gaussian", {**GAUSSIAN, "noise": float("inf")})


def test_a_list_where_one_value_is_taken_makes_a_grid():
    spec = {**GAUSSIAN, "n_features": [30, 40], "truth": ["sparse", "dense"], "noise": 0.5}
    built = contract.build_group("data", {"gaussian": spec})
    assert list(built)[1] == "gaussian[n_features=30,truth=dense]"
    assert [source.n_features for source in built.values()] == [30, 30, 40, 40]
    assert all(source.noise == 0.5 for source in built.values())


def test_an_empty_grid_is_an_error():
    with pytest.raises(UserError, match="empty"):
        contract.expand("data.gaussian", {**GAUSSIAN, "n_features": []})


def test_suggest_lists_what_there_is_when_nothing_is_near():
    assert contract.suggest("zzz", ["a", "b"]) == "known: a, b"


def test_a_class_extends_the_base_of_its_group():
    with pytest.raises(UserError) as raised:
        contract.build("solver.gaussian", GAUSSIAN)
    assert str(raised.value) == (
        "solver.gaussian._target_=spred_bench.components.data.gaussian.Source: the class has to extend "
        "spred_bench.components.solvers.BaseSolver"
    )


def test_what_a_class_lacks_is_named():
    with pytest.raises(UserError, match=r"the class lacks cells, run, summary, which tasks\.BaseTask leaves open"):
        contract.build("task", {"_target_": "spred_bench.components.tasks.DataTask"})


def test_a_source_without_an_annotation_is_named():
    class Source(BaseSource):
        def load(self, seed):
            return None

    with pytest.raises(UserError, match="data=mine does not say what it gives: `load` needs a return annotation"):
        contract.require_data({"mine": Source()}, Regression)


@pytest.mark.parametrize("group", plan.GROUPS)
def test_helpers_of_a_folder_are_no_components(group):
    folder = config_dir() / group
    targets = {yaml.safe_load(path.read_text())[path.stem]["_target_"] for path in folder.glob("*.yaml")}
    modules = {target.split(".")[-2] for target in targets}
    assert modules and not {module for module in modules if module.startswith("_")}
