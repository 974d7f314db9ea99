"""A redundant model is pickled and copied as a whole."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from spred_bench import effective_weights, merge, parameter_groups, reparametrize


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Linear(5, 2, bias=False))
    reparametrize(model, depth=3)
    return model


def saved_and_loaded(model: nn.Module) -> nn.Module:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize("copied", [saved_and_loaded, lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_a_copy_has_the_same_factors_and_outputs(copied):
    model = network()
    twin, x = copied(model), torch.randn(7, 6)
    assert torch.equal(model.eval()(x), twin.eval()(x))
    mine, theirs = model.state_dict(), twin.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_a_loaded_model_trains_and_merges_apart_from_the_first():
    model = network()
    twin = saved_and_loaded(model)
    before = {name: weight.clone() for name, weight in effective_weights(model).items()}
    optimizer = torch.optim.SGD(parameter_groups(twin, kappa=1e-2), lr=0.1)
    twin(torch.randn(7, 6)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(effective_weights(twin)["0.weight"], before["0.weight"])
    merge(twin)
    assert type(twin[0]) is nn.Linear and isinstance(twin[0].weight, nn.Parameter)
    assert all(torch.equal(effective_weights(model)[name], weight) for name, weight in before.items())


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    reparametrize(model)
    twin = saved_and_loaded(model)
    assert twin[0].parametrizations.weight is twin[1].parametrizations.weight
    assert len(list(twin.parameters())) == 2


def test_a_merged_model_has_its_own_class_again():
    model = merge(network())
    assert all(type(module).__module__.startswith("torch.nn") for module in model.modules())
    assert torch.equal(saved_and_loaded(model)[0].weight, model[0].weight)


def test_another_parametrization_is_named():
    model = nn.Sequential(nn.Linear(4, 4))
    reparametrize(model, "0.weight")
    nn.utils.parametrize.register_parametrization(model[0], "bias", nn.Softplus())
    with pytest.raises(RuntimeError, match=r"'bias' is parametrized by Softplus: save the state_dict\(\) instead"):
        saved_and_loaded(model)
