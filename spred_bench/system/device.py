"""One place that turns `device=auto|cpu|cuda|cuda:1` into a torch device, and what the CPU needs to be told."""

import numpy as np
import torch


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is CUDA where there is one, else the CPU. ValueError if the device is of another kind, or missing."""
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ValueError(f"device={str(name)!r}: expected auto, cpu, cuda or cuda:<index>")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ValueError(f"device={name}: this machine offers {count} CUDA device(s); use device=auto or cpu")
    return device


class FlushDenormals:
    """A context in which the CPU takes float32 numbers below 1e-38 for zero in this thread; afterwards as before.

    Weight decay sends dead weights there, and a CPU computes with them up to a hundred times slower. Not for the whole
    process: numpy warns about it. Threads that torch has started before keep their setting.
    """

    def __init__(self):
        self._before = bool(np.float32(1e-40) * np.float32(1) == 0)

    def __enter__(self) -> None:
        torch.set_flush_denormal(True)

    def __exit__(self, *exc) -> None:
        torch.set_flush_denormal(self._before)
