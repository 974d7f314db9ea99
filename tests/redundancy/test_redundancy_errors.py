"""What cannot be made redundant or merged: one line that says so, and the model as it was."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from spred_bench import merge, reparametrize


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}, str(model)


def assert_untouched(model, before):
    state, text = before
    assert str(model) == text
    assert list(model.state_dict()) == list(state)
    assert all(
        torch.equal(value.nan_to_num(7.0), state[key].nan_to_num(7.0)) for key, value in model.state_dict().items()
    )


def recurrent():
    return nn.LSTM(3, 4)


def normalised():
    return nn.Sequential(nn.Linear(3, 3), parametrizations.weight_norm(nn.Linear(3, 4)))


def unset():
    model = nn.Linear(3, 3)
    nn.init.constant_(model.weight, float("nan"))
    return model


def already():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    reparametrize(model, "1.weight")
    return model


@pytest.mark.parametrize(
    "build, arguments, message",
    [
        (lambda: nn.Linear(2, 2), {"names": "layer.*"}, "'layer.*' matches no parameter of Linear"),
        (lambda: nn.Linear(2, 2), {"names": ["weight", "wieght"]}, "'wieght' matches no parameter"),
        (lambda: nn.Linear(2, 2), {"exclude": "*"}, "leaves no parameter"),
        (lambda: nn.ReLU(), {}, "no weight of a Linear"),
        (lambda: nn.Linear(2, 2).requires_grad_(False), {}, "frozen; call requires_grad_"),
        (lambda: nn.LazyLinear(2), {}, "'weight' has no shape yet; run one forward"),
        (recurrent, {"names": "*"}, "'weight_ih_l0': LSTM reads its weights past"),
        (normalised, {}, "'1.weight' has another parametrization; remove_parametrizations"),
        (already, {}, "'1.weight' is already redundant; merge"),
        (unset, {}, "'weight' holds NaN or infinity"),
        (lambda: nn.Linear(2, 2), {"init": "sqrt"}, "init='sqrt' is unknown; use one of off_balance"),
        (lambda: nn.Linear(2, 2), {"depth": 1}, "depth=1 must be an integer of 2 or more"),
        (lambda: nn.Linear(2, 2), {"group": 2}, "'weight' has shape"),
        (lambda: nn.Linear(2, 2), {"group": 1.5}, "'weight' cannot take group=1.5"),
        (lambda: nn.Linear(2, 2, device="meta"), {}, "'weight' is on the meta device"),
        (lambda: nn.Linear(2, 2), {"group": "filters"}, "'weight' cannot take group='filters'"),
        (lambda: nn.Linear(2, 2), {"names": "*", "group": "output"}, "'bias' has 1 dimension"),
        (lambda: nn.BatchNorm1d(2), {"names": "*", "init": "independent"}, "'bias' is all zero"),
    ],
)
def test_errors_are_one_line_and_leave_the_model_untouched(build, arguments, message):
    model = build()
    valueless = isinstance(model, nn.LazyLinear) or any(p.is_meta for p in model.parameters())
    before = None if valueless else snapshot(model)
    with pytest.raises(ValueError) as error:
        reparametrize(model, **arguments)
    assert message in str(error.value) and "\n" not in str(error.value)
    if before:
        assert_untouched(model, before)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_older_weight_norm_hooks_are_refused():
    with pytest.raises(ValueError, match="not a plain parameter"):
        reparametrize(torch.nn.utils.weight_norm(nn.Linear(2, 2)))


def test_merge_refuses_what_it_cannot_do():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with pytest.raises(ValueError, match="nothing in this model is redundant"):
        merge(network)
    reparametrize(network)
    before = snapshot(network)
    for threshold in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="threshold"):
            merge(network, threshold)
    assert_untouched(network, before)
