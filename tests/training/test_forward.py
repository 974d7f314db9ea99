"""Precision, memory layout, compilation and device reach the model and change nothing else."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from fake_cuda import needs_fake_cuda
from spred_bench.training.batches import Minibatches
from spred_bench.training.trainer import Trainer, train


def classify(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def test_bfloat16_and_channels_last_reach_the_model():
    seen = []

    class Probe(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            out = self.conv(x)
            seen.append((x.is_contiguous(memory_format=torch.channels_last), out.dtype))
            return out.mean((1, 2, 3))

    model = Probe()
    x = torch.randn(4, 3, 6, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(
        model,
        optimizer,
        lambda m, b: m(b[0]).float().sum(),
        (x,),
        max_steps=2,
        autocast="bfloat16",
        channels_last=True,
    )
    assert seen == [(True, torch.bfloat16)] * 2
    assert model.conv.weight.is_contiguous(memory_format=torch.channels_last)
    assert model.conv.weight.dtype == torch.float32


def test_compilation_is_off_the_clock_and_changes_nothing():
    X, y = torch.randn(40, 6), torch.randint(0, 3, (40,))
    results = []
    for compiled in (False, "eager"):
        model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
        torch.manual_seed(0)
        model[0].reset_parameters()
        data = Minibatches(X, y, batch_size=8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run = train(model, optimizer, classify, data, max_steps=6, compile=compiled)
        results.append(model.state_dict())
    assert run.warmup_s > 0
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


@needs_fake_cuda
def test_batch_and_loss_stay_on_one_device():
    """Without a GPU: fake tensors on `cuda` fail if a tensor of the CPU slips in."""
    with FakeTensorMode():
        device = torch.device("cuda")
        with device:
            model = nn.Linear(6, 3)
        data = Minibatches(
            torch.zeros(40, 6, device=device), torch.zeros(40, dtype=torch.long, device=device), batch_size=8
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        trainer = Trainer(model, optimizer, classify, data, max_steps=1)
        batch = next(trainer.batches)
        assert trainer.device.type == batch[0].device.type == trainer.forward(model, batch).device.type == "cuda"
