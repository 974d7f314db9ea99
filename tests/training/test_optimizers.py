"""Which parameters carry a penalty: one rule for plain L1, weight decay and spred."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from spred_bench.components.methods import group_lasso, l1, spred, weight_decay
from spred_bench.redundancy import parameter_groups, reparametrize
from spred_bench.redundancy.selection import undecayed_names
from spred_bench.training.optimizers import split_parameters


def attention() -> nn.MultiheadAttention:
    """All parameters are 1, the biases too, which torch starts at 0."""
    layer = nn.MultiheadAttention(4, 2, add_bias_kv=True)
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    return layer


def test_biases_of_attention_are_biases_whatever_their_names():
    assert undecayed_names(attention()) == {"in_proj_bias", "out_proj.bias", "bias_k", "bias_v"}


def test_plain_l1_and_spred_penalise_the_same_of_attention():
    layer = attention()
    weights, rest = split_parameters(layer)
    assert {id(weight) for weight in weights} == {id(layer.in_proj_weight), id(layer.out_proj.weight)}
    assert len(rest) == 4
    assert l1.Method().penalty(layer, 0.5).item() == pytest.approx(12 * 4 + 4 * 4)
    reparametrize(layer, ["in_proj_weight", "out_proj.weight"])
    groups = {group["name"]: len(group["params"]) for group in parameter_groups(layer, kappa=0.5)}
    assert groups == {"redundant": 4, "undecayed": 4}


@pytest.mark.parametrize(
    "method",
    [l1.Method(), weight_decay.Method(), spred.Method(names="0.weight"), group_lasso.Method(names="0.weight")],
    ids=lambda method: type(method).__module__.rpartition(".")[2],
)
def test_no_method_decays_a_bias_or_a_normalisation(method):
    network = nn.Sequential(nn.Linear(2, 3), nn.MultiheadAttention(3, 1), nn.LayerNorm(3))
    free = {id(network.get_parameter(name)) for name in undecayed_names(network)}
    assert len(free) == 5
    method.prepare(network, torch.Generator())
    decayed = {
        id(p) for group in method.parameter_groups(network, 0.5) if group["weight_decay"] for p in group["params"]
    }
    assert not free & decayed


def test_a_parametrized_bias_stays_a_bias():
    layer = nn.Linear(2, 3)
    parametrize.register_parametrization(layer, "bias", nn.Identity())
    parametrize.register_parametrization(layer, "weight", nn.Identity())
    assert undecayed_names(nn.Sequential(layer)) == {"0.parametrizations.bias.original"}
    assert undecayed_names(layer) == {"parametrizations.bias.original"}


def test_a_name_that_only_contains_the_letters_is_no_bias():
    layer = nn.Module()
    layer.unbiased_weight = nn.Parameter(torch.ones(2))
    assert undecayed_names(layer) == set()
