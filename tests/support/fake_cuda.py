"""Whether this torch computes on a CUDA device that is not there, under FakeTensorMode; torch 2.9 asks the driver."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode


def _works() -> bool:
    try:
        with FakeTensorMode(), torch.device("cuda"):
            torch.nn.Linear(2, 2)(torch.empty(1, 2))
    except RuntimeError:
        return False
    return True


needs_fake_cuda = pytest.mark.skipif(not _works(), reason="this torch needs a driver for a fake CUDA device")
