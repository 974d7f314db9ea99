"""The loop does what a loop written by hand does, ends with the right status, and keeps the clock honest."""

import pytest
import torch
from torch import nn

from spred_bench.system.stopwatch import Stopwatch
from spred_bench.training import schedules
from spred_bench.training.batches import Minibatches
from spred_bench.training.callbacks import When, every, recorder
from spred_bench.training.trainer import Trainer, train

cross_entropy = nn.functional.cross_entropy


def quadratic(w, batch):
    return (w * w).sum()


def start(values=(1.0, -2.0)):
    return torch.tensor(values, requires_grad=True)


def descend(w=None, lr=0.1, **options):
    w = start() if w is None else w
    return train(w, torch.optim.SGD([w], lr=lr), options.pop("loss", quadratic), None, **options)


def small_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def classify(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def labelled(n=40):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 6, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def test_same_as_a_loop_written_by_hand():
    X, y = labelled()
    mine, by_hand = small_network(), small_network()
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=0.01, weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.01, total_steps=15, cycle_momentum=False, div_factor=25, final_div_factor=400
    )
    order = torch.Generator().manual_seed(7)
    for _ in range(3):
        for rows in torch.randperm(40, generator=order).split(8):
            optimizer.zero_grad()
            classify(by_hand, (X[rows], y[rows])).backward()
            nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5)
            optimizer.step()
            scheduler.step()
    adam = torch.optim.Adam(mine.parameters(), lr=0.01, weight_decay=0.1)
    data = Minibatches(X, y, batch_size=8, seed=7)
    schedule = schedules.one_cycle(floor=1e-4)
    run = train(mine, adam, classify, data, epochs=3, clip_norm=0.5, schedule=schedule)
    assert (run.status, run.step) == ("done", 15)
    assert all(torch.equal(p, q) for p, q in zip(mine.parameters(), by_hand.parameters(), strict=True))


def test_lbfgs_goes_through_the_same_loop():
    w = start()
    optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    run = train(w, optimizer, lambda w, b: ((w - b) ** 4 + (w - b) ** 2).sum(), torch.tensor([3.0, 4.0]), max_steps=5)
    assert run.status == "done"
    assert torch.allclose(w, torch.tensor([3.0, 4.0]), atol=1e-4)


def test_two_optimizers_step_on_the_same_gradients():
    u, v = start([1.0]), start([2.0])
    optimizers = [torch.optim.SGD([u], lr=0.1), torch.optim.SGD([v], lr=0.01)]
    train({"u": u, "v": v}, optimizers, lambda m, _: (m["u"] * m["v"]).sum(), None, max_steps=1)
    assert u.item() == pytest.approx(0.8) and v.item() == pytest.approx(1.99)
    with pytest.raises(ValueError, match="L-BFGS"):
        Trainer([u, v], [torch.optim.LBFGS([u]), optimizers[1]], quadratic, None, max_steps=1)


def test_networks_stacked_in_one_model_train_as_if_alone():
    X, y = labelled()
    lrs = (0.1, 0.3, 1.0)

    def initial(k):
        return torch.randn(6, 3, generator=torch.Generator().manual_seed(k))

    stacked = torch.stack([initial(k) * lr for k, lr in enumerate(lrs)]).requires_grad_()
    alone = [(initial(k) * lr).requires_grad_() for k, lr in enumerate(lrs)]

    def summed(W, batch):
        logits = torch.einsum("nd,kdc->kcn", batch[0], W)
        return cross_entropy(logits, batch[1].expand(3, -1), reduction="none").mean(1).sum()

    def options():
        return {"batches": Minibatches(X, y, batch_size=16, seed=2), "max_steps": 30}

    train(stacked, torch.optim.SGD([stacked], lr=0.5, momentum=0.9, weight_decay=0.1), summed, **options())
    for k, W in enumerate(alone):
        optimizer = torch.optim.SGD([W], lr=0.5, momentum=0.9, weight_decay=0.1)
        train(W, optimizer, lambda W, batch: cross_entropy(batch[0] @ W, batch[1]), **options())
        torch.testing.assert_close(stacked[k], W)


def test_step_zero_is_measured_before_anything_moves():
    run = descend(max_steps=3, callbacks=[recorder(lambda run: {"w": run.model, "norm": run.model.norm()})])
    assert run.rows[0]["w"] == [1.0, -2.0]
    assert [row["step"] for row in run.rows] == [0, 1, 2, 3]
    assert isinstance(run.rows[0]["norm"], float)


@pytest.mark.parametrize(
    ("options", "status", "step"),
    [
        ({"max_steps": 7}, "done", 7),
        ({"max_steps": 0}, "done", 0),
        ({"max_steps": 7, "until": lambda run: False}, "max_steps", 7),
        ({"max_steps": 7, "until": every(2, lambda run: run.step >= 3)}, "done", 4),
        ({"max_steps": 7, "until": lambda run: run.step == 7}, "done", 7),
        ({"max_steps": 7, "callbacks": [lambda run: run.step == 2]}, "done", 2),
        ({"max_steps": 7, "until": lambda run: torch.tensor(run.step > 2)}, "done", 3),
        ({"max_steps": 7, "time_limit_s": 0}, "timeout", 0),
    ],
)
def test_statuses(options, status, step):
    measured = []
    ends = When(lambda run: measured.append((run.status, run.step)), lambda run: run.finished)
    run = descend(**options | {"callbacks": [*options.get("callbacks", []), ends]})
    assert (run.status, run.step) == (status, step)
    assert measured == [(status, step)]


def test_a_callback_must_answer_with_a_bool():
    with pytest.raises(TypeError, match=r"returned 3\.0: return True to stop"):
        descend(max_steps=1, callbacks=[lambda run: 3.0])


def test_divergence_goes_back_to_the_last_finite_parameters():
    """|w| grows 99-fold a step: w^2 leaves float32 at step 10 or 11, between two checks."""
    w = start([1.0])
    run = descend(w, lr=50.0, max_steps=1000, check_every=4, callbacks=[recorder(lambda run: {"w": run.model})])
    assert run.status == "diverged"
    assert run.step == 8 and [row["step"] for row in run.rows] == list(range(9))
    assert run.rows[-1]["w"] == w.tolist() == [pytest.approx(99.0**8, rel=1e-4)]
    assert quadratic(w, None).isfinite()


def test_divergence_in_the_very_last_steps_is_noticed():
    w = start([1.0])
    run = descend(w, lr=50.0, max_steps=15, check_every=100)
    assert (run.status, run.step, w.tolist()) == ("diverged", 0, [1.0])

    def explodes(w, batch):  # finite loss, infinite gradient
        return w.abs().sqrt().sum()

    w = start([0.0])
    run = descend(w, max_steps=1, loss=explodes)
    assert (run.status, run.step, w.tolist()) == ("diverged", 0, [0.0])


def test_divergence_takes_running_statistics_back_too():
    model = nn.BatchNorm1d(2)
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    batches = Minibatches(torch.cat([x, x * torch.nan]), batch_size=2, shuffle=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = train(model, optimizer, lambda m, b: m(b[0]).square().sum(), batches, max_steps=9, check_every=1)
    assert (run.status, run.step) == ("diverged", 0)
    assert model.running_mean.isfinite().all() and model.num_batches_tracked == 0


def test_the_clock_stands_still_during_callbacks():
    running = []
    watch = Stopwatch(elapsed_s=100.0)

    def look(run):
        running.append(run.stopwatch.running)
        return run.record()

    run = descend(
        max_steps=3,
        callbacks=[look],
        loss=lambda w, b: running.append(watch.running) or quadratic(w, b),
        stopwatch=watch,
    )
    assert running == [False, True] * 3 + [False]
    times = [row["time_s"] for row in run.rows]
    assert times == sorted(times) and times[0] >= 100 and not watch.running


def test_nothing_waits_for_the_device_between_checks(monkeypatch):
    """A step without a check reads no number from the device."""
    reads = []
    for name in ("item", "__bool__", "__float__", "tolist"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda t, f=original, n=name: reads.append(n) or f(t))
    X, y = labelled()
    model = small_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data = Minibatches(X, y, batch_size=8)
    train(
        model,
        optimizer,
        classify,
        data,
        max_steps=50,
        check_every=10,
        callbacks=[every(50, lambda run: None)],
    )
    assert reads == ["__bool__"] * (5 + 1 + 4)  # the checks, and at the end the loss and each parameter


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either max_steps or epochs"),
        ({"max_steps": 1, "epochs": 1}, "either max_steps or epochs"),
        ({"epochs": 0.1}, "epochs=0.1 of 1 steps each: no step at all"),
        ({"max_steps": -1}, "max_steps=-1"),
        ({"max_steps": 1, "autocast": "float16"}, "autocast=float16"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        descend(**options)


def test_only_steps_take_denormal_numbers_for_zero():
    w = torch.full((3,), 1e-39, requires_grad=True)
    seen = []
    run = train(
        w,
        torch.optim.SGD([w], lr=0.1, weight_decay=1.0),
        lambda w, _: (0.0 * w).sum(),
        None,
        max_steps=1,
        callbacks=[lambda run: seen.append((torch.tensor(1e-40) * 1).item())],
    )
    assert run.status == "done" and w.tolist() == [0.0] * 3
    assert all(value > 0 for value in seen) and (torch.tensor(1e-40) * 1).item() > 0
