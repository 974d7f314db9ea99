"""One place that turns `device=auto|cpu|cuda|cuda:1` into a torch device."""

import torch


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is CUDA where there is one, else the CPU. ValueError if the device is unknown or missing."""
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(f"device={name!r}: expected auto, cpu, cuda or cuda:<index>") from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ValueError(f"device={name}: this machine offers {count} CUDA device(s); use device=auto or cpu")
    return device
