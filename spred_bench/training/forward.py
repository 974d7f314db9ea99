"""How a loss is computed: in which precision and memory layout, compiled or as it is."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn


class Forward:
    """`forward(model, batch)` is `loss(model, batch)` under these settings; it may be called again and again.

    autocast: "bfloat16" (or the torch dtype) or None. float16 is refused: it would need loss scaling.
    channels_last: for 4-dimensional tensors of the batch; the caller has brought the model into that layout.
    compile: torch.compile of loss and model together; a string names the backend.
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        device: torch.device,
        autocast: str | torch.dtype | None = None,
        channels_last: bool = False,
        compile: bool | str = False,
    ):
        if autocast not in (None, "bfloat16", torch.bfloat16):
            raise ValueError(f"autocast={autocast}: expected null or bfloat16")
        self.precision = torch.autocast(device.type, torch.bfloat16) if autocast else nullcontext()
        self.channels_last = channels_last
        if compile:
            loss = torch.compile(loss, backend=compile if isinstance(compile, str) else "inductor")
        self.loss = loss

    def __call__(self, model: nn.Module, batch) -> Tensor:
        if self.channels_last:
            batch = _channels_last(batch)
        with self.precision:
            return self.loss(model, batch)


def _channels_last(batch):
    if isinstance(batch, Tensor):
        return batch.contiguous(memory_format=torch.channels_last) if batch.ndim == 4 else batch
    return tuple(_channels_last(part) for part in batch) if isinstance(batch, (tuple, list)) else batch
