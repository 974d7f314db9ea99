"""How far the work in hand has come."""

import pytest

from spred_bench.system import activity


def test_a_listener_hears_fractions_and_only_inside():
    heard = []
    activity.advance(1, 2)
    with activity.listening(heard.append):
        activity.advance(1, 4)
        activity.advance(9, 3)
    activity.advance(1, 2)
    assert heard == [0.25, 1.0]


def test_parts_share_the_whole():
    heard = []
    with activity.listening(heard.append):
        for number in range(2):
            with activity.part(number, 2), activity.part(0, 4):
                activity.advance(1, 2)
        activity.advance(1, 1)
    assert heard == [0.0625, 0.5625, 1.0]


@pytest.mark.parametrize("total", [0, -1, float("inf")])
def test_an_unknown_total_says_nothing(total):
    heard = []
    with activity.listening(heard.append):
        activity.advance(1, total)
    assert heard == []


def test_a_training_says_every_step(tmp_path):
    import torch

    from spred_bench.training.trainer import train

    heard, weight = [], torch.nn.Parameter(torch.ones(2))
    with activity.listening(heard.append):
        train(weight, torch.optim.SGD([weight], lr=0.1), lambda w, _: w.square().sum(), None, max_steps=4)
    assert heard == [0.0, 0.25, 0.5, 0.75, 1.0]
