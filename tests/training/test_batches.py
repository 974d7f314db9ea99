"""Every row once an epoch, the same order on every device, and a position that can be restored anywhere."""

import copy

import pytest
import torch

from spred_bench.training.batches import FullBatch, Minibatches, as_batches


def rows(data, steps):
    return [next(data)[0].tolist() for _ in range(steps)]


def flat(batches):
    return [row for batch in batches for row in batch]


def test_each_row_once_an_epoch_and_each_epoch_another_order():
    data = Minibatches(torch.arange(10), torch.arange(10) * 2, batch_size=4, seed=1)
    assert data.steps_per_epoch == 3
    x, y = next(data)
    assert torch.equal(y, 2 * x) and len(x) == 4
    first = x.tolist() + flat(rows(data, 2))
    second = flat(rows(data, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_seed_alone_decides_the_order():
    def order(seed, device="cpu"):
        return rows(Minibatches(torch.arange(10), batch_size=4, seed=seed), 6)

    expected = order(1)
    torch.manual_seed(99)
    assert order(1) == expected != order(2)


def test_in_the_given_order_and_without_the_short_batch():
    data = Minibatches(torch.arange(10), batch_size=4, shuffle=False, drop_last=True)
    assert data.steps_per_epoch == 2
    assert rows(data, 3) == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


def test_a_batch_larger_than_the_data_is_the_data():
    assert rows(Minibatches(torch.arange(3), batch_size=9, drop_last=True, shuffle=False), 1) == [[0, 1, 2]]


@pytest.mark.parametrize("steps", range(8))
def test_any_position_can_be_restored(steps):
    def noisy(batch, generator):
        return (batch[0] + torch.rand(len(batch[0]), generator=generator),)

    def make():
        return Minibatches(torch.arange(10), batch_size=4, seed=3, transform=noisy)

    data = make()
    rows(data, steps)
    state = copy.deepcopy(data.state_dict())
    expected = rows(data, 9)
    for other in (make(), data):
        other.load_state_dict(state)
        assert rows(other, 9) == expected


@pytest.mark.parametrize(
    ("tensors", "size", "message"),
    [
        ((torch.zeros(3), torch.zeros(4)), 2, r"got \[3, 4\]"),
        ((torch.zeros(0),), 2, r"got \[0\]"),
        ((), 2, r"got \[\]"),
        ((torch.zeros(3),), 0, "batch_size=0"),
    ],
)
def test_bad_arguments(tensors, size, message):
    with pytest.raises(ValueError, match=message):
        Minibatches(*tensors, batch_size=size)


def test_anything_else_is_the_full_batch():
    batch = {"X": torch.zeros(3)}
    data = as_batches(batch)
    assert isinstance(data, FullBatch) and next(data) is next(data) is batch
    assert as_batches(data) is data
