"""The share of zeros asked for is there in the end, and training made them, not the last cut."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from spred_bench import redundancy
from spred_bench.networks import sparsity
from spred_bench.training import schedules
from spred_bench.training.batches import Minibatches
from spred_bench.training.checkpoint import Checkpoints
from spred_bench.training.target_sparsity import TargetSparsity
from spred_bench.training.trainer import train


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X, y = torch.as_tensor(X).float() / 16 - 0.3, torch.as_tensor(y)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return (X[order[:1200]], y[order[:1200]]), (X[order[1200:]], y[order[1200:]])


def network(depth=2, group=None, kind="mlp"):
    torch.manual_seed(0)
    if kind == "mlp":
        model = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    else:
        blocks = [
            [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()] for i, o in [(1, 8), (8, 32)]
        ]
        model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *blocks[0], nn.MaxPool2d(2), *blocks[1], nn.Flatten())
        model.append(nn.Linear(512, 10))
    redundancy.reparametrize(model, depth=depth, group=group, init="off_balance" if group else "independent")
    return model


def fit(model, steering, data, epochs=15, kind=torch.optim.SGD, kappa=0.0, **more):
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    rate, multiplier = (0.1, 5) if kind is torch.optim.SGD else (0.01, 1)
    groups = redundancy.parameter_groups(
        model, kappa=kappa, weight_decay=5e-4, lr=rate, factor_lr_multiplier=multiplier
    )
    batches = Minibatches(*data, batch_size=60, seed=0)
    schedule = schedules.one_cycle()
    loss = lambda m, b: cross_entropy(m(b[0]), b[1])  # noqa: E731
    optimizer = kind(groups, lr=rate, **options)
    return train(model, optimizer, loss, batches, epochs=epochs, schedule=schedule, callbacks=[steering], **more)


def zeros(model) -> float:
    redundancy.merge(model, threshold=1e-6)
    return sparsity.weight_sparsity(sparsity.weights_of(model).values(), 0.0)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "depth"), [("mlp", 2), ("mlp", 3), ("convolutions", 2), ("convolutions", 3)])
@pytest.mark.parametrize("target", [0.9, 0.98, 0.995])
def test_it_lands_within_a_fifth_of_a_point(kind, depth, target, digits):
    model, steering = network(depth, kind=kind), TargetSparsity(target)
    run = fit(model, steering, digits[0])
    assert run.status == "done"
    report = steering.report()
    assert abs(zeros(model) - target) < 0.002 and abs(report["sparsity"] - target) < 0.002
    assert report["zeroed_by_training"] + report["zeroed_by_landing"] == pytest.approx(report["sparsity"])
    assert report["zeroed_by_training"] > target - 0.03
    assert report["removed_energy"] < 0.05


def test_the_network_still_works(digits):
    model = network()
    fit(model, TargetSparsity(0.95), digits[0], epochs=25)
    assert zeros(model) > 0.948
    X, y = digits[1]
    assert (model(X).argmax(1) == y).double().mean() > 0.9


def test_with_adam_from_a_kappa_given(digits):
    model, steering = network(), TargetSparsity(0.9)
    fit(model, steering, digits[0], kind=torch.optim.Adam, kappa=1e-4)
    assert abs(zeros(model) - 0.9) < 0.002
    with pytest.raises(ValueError, match="kappa > 0 to start from"):
        fit(network(), TargetSparsity(0.9), digits[0], epochs=1, kind=torch.optim.Adam)


def test_groups_go_whole(digits):
    model, steering = network(group="output"), TargetSparsity(0.5)
    fit(model, steering, digits[0])
    redundancy.merge(model)
    empty = (model[0].weight == 0).all(1).sum() * 64 + (model[2].weight == 0).all(1).sum() * 200
    total = 200 * 64 + 10 * 200
    assert zero_count(model) == empty
    assert abs(empty / total - 0.5) <= 200 / total


def zero_count(model) -> int:
    return sparsity.n_zeros(sparsity.weights_of(model).values(), 0.0)


def test_resumed_it_is_the_same(digits, tmp_path):
    whole = network()
    steering = TargetSparsity(0.9)
    fit(whole, steering, digits[0], epochs=4)
    for stop in (0.5, 0.9):  # while steering and after the landing
        folder = tmp_path / str(stop)
        fit(network(), TargetSparsity(0.9), digits[0], epochs=4, checkpoints=Killed(folder, stop * 80))
        again, second = network(), TargetSparsity(0.9)
        fit(again, second, digits[0], epochs=4, checkpoints=Killed(folder, None))
        assert second.history == steering.history and second.landing == steering.landing
        assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), again.parameters(), strict=True))


class Killed(Checkpoints):
    """Checkpoints of which only the one at `step` is written, as if the process had died soon after."""

    def __init__(self, folder, step):
        super().__init__(folder, "key", every_steps=1, every_s=None)
        self.step = step

    def save(self, step, state):
        if step == self.step:
            super().save(step, state)


@pytest.mark.parametrize("target", [0, 1, -0.1, 1.5, float("nan")])
def test_impossible_targets_are_refused(target):
    with pytest.raises(ValueError, match="between 0 and 1"):
        TargetSparsity(target)


def test_what_cannot_be_done_is_said():
    with pytest.raises(ValueError, match="out of range"):
        TargetSparsity(0.9, reach=0.9, land=0.8)
    with pytest.raises(RuntimeError, match="has not landed"):
        TargetSparsity(0.9).report()
