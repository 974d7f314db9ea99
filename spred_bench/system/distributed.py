"""Several processes, one training: `torchrun --nproc-per-node=2 -m spred_bench task=...` splits every batch among them.

Every process holds the whole model and goes through the same steps; each computes the gradient of its part of every
batch, and the sum over processes is the gradient of the batch, up to rounding. So callbacks see the same model
everywhere, and only the first process writes. What is not the same as in one process: batch normalisation takes the
statistics of each part (its running statistics are averaged), and dropout draws the same mask for every part.

Without torchrun all of this is the identity and loads nothing.
"""

import os

_TIMEOUT_S = 600  # of waiting for another process: longer than any evaluation or checkpoint


def world() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", 1))


def leads() -> bool:
    """Whether this process writes: the first, or the only one."""
    return int(os.environ.get("RANK", 0)) == 0


def join(device: str) -> None:
    """Meet the other processes, once, before anything is shared: by NCCL on CUDA, one device each, else by gloo."""
    if world() == 1:
        return
    from datetime import timedelta

    import torch
    import torch.distributed as dist

    on_cuda = str(device).startswith("cuda")
    if on_cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if not dist.is_initialized():
        dist.init_process_group("nccl" if on_cuda else "gloo", timeout=timedelta(seconds=_TIMEOUT_S))


def from_first(value):
    """What the first process gives, for all of them; plain data."""
    if world() == 1:
        return value
    import torch.distributed as dist

    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def agreed(stop: bool, trainer) -> bool:
    """Whether to stop: several processes decide together, every `check_every` steps, because none may go on alone."""
    if world() == 1:
        return stop
    if trainer.step % trainer.check_every:
        return False
    import torch
    import torch.distributed as dist

    flag = torch.tensor(float(stop), device=trainer.device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def backward(forward, model, batch, parameters):
    """The loss of `batch` and, in every `parameter.grad`, its gradient; `forward(model, batch)` is a mean over rows."""
    if world() == 1:
        loss = forward(model, batch)
        loss.backward()
        return loss
    part, share = split(batch)
    loss = forward(model, part) * share
    loss.backward()
    loss = loss.detach()
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    _add_up([loss, *gradients])
    _average_running_statistics(model)
    return loss


def split(batch):
    """(the rows of this process, their share of all rows). A batch that is not a tuple of tensors of rows,
    or has too few of them, goes to every process as a whole."""
    import torch

    made_of_rows = isinstance(batch, (tuple, list)) and all(isinstance(t, torch.Tensor) and t.ndim for t in batch)
    rows = {len(tensor) for tensor in batch} if made_of_rows else set()
    if len(rows) != 1 or min(rows) < world():
        return batch, 1.0 / world()
    part = tuple(tensor.tensor_split(world())[int(os.environ["RANK"])] for tensor in batch)
    return part, len(part[0]) / len(batch[0])


def _add_up(tensors) -> None:
    """Sum each over the processes, in place, in one message per type."""
    import torch
    import torch.distributed as dist

    with torch.no_grad():
        for dtype in {tensor.dtype for tensor in tensors}:
            same = [tensor for tensor in tensors if tensor.dtype == dtype]
            message = torch.cat([tensor.flatten() for tensor in same])
            dist.all_reduce(message)
            for tensor, summed in zip(same, message.split([tensor.numel() for tensor in same]), strict=True):
                tensor.copy_(summed.view(tensor.shape))


def _average_running_statistics(model) -> None:
    from torch import nn

    if isinstance(model, nn.Module):
        running = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        _add_up(running)
        for buffer in running:
            buffer.div_(world())
