"""Labels and families: declared in yaml, looked up by name, remembered of runs with components from elsewhere."""

import subprocess
import sys

import pytest
import yaml

from contracts import GROUPS
from spred_bench.components import contract
from spred_bench.errors import UserError
from spred_bench.reporting import labels
from spred_bench.running import records
from spred_bench.system.files import config_dir


@pytest.mark.parametrize("group", ["solver", "method", "selector", "learner"])
def test_every_component_of_a_figure_declares_its_label(group):
    shown = {name: labels.declaration(group, name) for name in GROUPS[group]}
    assert all(declared.label for declared in shown.values())
    assert len({declared.label for declared in shown.values()}) == len(shown)
    assert {declared.family for declared in shown.values()} == {"ours", "rival"}


@pytest.mark.parametrize(
    ("group", "name", "label"),
    [
        ("solver", "cd", "coordinate descent"),
        ("solver", "my_own", "my own"),
        ("learner", "spred", "spred"),
        ("method", "spred", "spred, D = 2"),
        ("method", "spred[target_sparsity=0.9]", "spred, D = 2[target_sparsity=0.9]"),
        ("method", "l1, run 0a1b2c", "plain L1, run 0a1b2c"),
    ],
)
def test_labels_are_looked_up_by_group_and_name(group, name, label):
    assert labels.label(group, name) == label


def test_a_family_does_not_follow_from_a_name():
    assert labels.is_ours("method", "spred_nodes") and not labels.is_ours("method", "spred_like_rival")
    assert not labels.is_ours("solver", "cd[max_iter=3]") and labels.is_ours("solver", "spred_sgd[learning_rate=1]")


def test_a_run_tells_the_labels_of_components_from_elsewhere(tmp_path):
    entry = {"_target_": "mine.Method", "_label_": "mine, quick", "_family_": "ours", "_colour_": 4}
    config = {"task": {"_target_": "x"}, "seed": 0, "method": {"elsewhere": entry, "l1": {**entry, "_label_": "no"}}}
    (tmp_path / "0a1b").mkdir()
    (tmp_path / "0a1b" / "config.yaml").write_text(yaml.safe_dump(config))
    assert labels.label("method", "elsewhere") == "elsewhere"
    labels.learn_beside(tmp_path)
    assert labels.label("method", "elsewhere[a=1]") == "mine, quick[a=1]"
    assert labels.is_ours("method", "elsewhere") and labels.label("method", "l1") == "plain L1"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"_family_": "spred"}, "method.l1._family_=spred: input should be 'ours' or 'rival'"),
        ({"_colour_": 10}, "method.l1._colour_=10: input should be less than or equal to 9"),
        ({"_label_": 3}, "method.l1._label_=3: input should be a valid string"),
    ],
)
def test_a_wrong_declaration_is_named(entry, message):
    with pytest.raises(UserError) as raised:
        contract.build("method.l1", {"_target_": "spred_bench.components.methods.l1.Method", **entry})
    assert str(raised.value) == message


@pytest.mark.parametrize("group", ["solver", "method", "selector", "learner"])
def test_declarations_are_no_part_of_what_a_run_computes(group):
    for name in GROUPS[group]:
        whole = yaml.safe_load((config_dir() / group / f"{name}.yaml").read_text())
        bare = {key: value for key, value in whole[name].items() if key not in contract.DECLARATIONS}
        assert records.run_id({group: whole, "seed": 1}) == records.run_id({group: {name: bare}, "seed": 1})


def test_labels_are_found_without_loading_torch():
    script = "import sys; from spred_bench.reporting import labels; labels.label('method', 'l1'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "sklearn", "hydra"} & set(loaded)
