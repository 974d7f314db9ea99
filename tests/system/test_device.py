"""`device=` is resolved or refused in one line."""

import pytest
import torch

from spred_bench.system.device import resolve_device


def test_auto_takes_cuda_where_it_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="device=cuda:2: this machine offers 2"):
        resolve_device("cuda:2")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "offers 0 CUDA"),
        ("gpu", "expected auto, cpu"),
        ("", "expected auto, cpu"),
        ("mps", "expected auto, cpu"),
    ],
)
def test_what_is_not_there_is_refused(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message) as error:
        resolve_device(name)
    assert "\n" not in str(error.value)


def test_cpu_and_torch_devices_pass():
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")
