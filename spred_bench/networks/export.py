"""A sparse network on disk: dense, as compressed rows, as bit masks, and physically smaller; and what each costs.

Files hold tensors and plain data only and are read back with `weights_only=True`. Tensors with fewer than two
dimensions (biases, normalisation) are dense everywhere.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from spred_bench.networks import shrinking
from spred_bench.networks.latency import latencies
from spred_bench.redundancy import factors_of
from spred_bench.training.callbacks import evaluating


def dense(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As they are: a plain state_dict."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def compressed_rows(tensors: Mapping[str, Tensor]) -> dict[str, dict]:
    """Weights as compressed rows (outputs, everything else), indices of 32 bits: what torch.sparse_csr_tensor takes."""
    return {name: _rows(tensor.detach().cpu()) for name, tensor in tensors.items()}


def bit_masks(tensors: Mapping[str, Tensor]) -> dict[str, dict]:
    """Weights as one bit each and the values that are not zero: smaller than rows below about 97 % of zeros."""
    return {name: _bits(tensor.detach().cpu()) for name, tensor in tensors.items()}


FORMATS = {"dense": dense, "csr": compressed_rows, "bitmask": bit_masks}


def load(path: str | Path) -> dict[str, Tensor]:
    """The state_dict of a file of any of the formats; also one that lies under "state_dict" in it."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    stored = stored.get("state_dict", stored)
    return {name: entry if isinstance(entry, Tensor) else _unpacked(entry) for name, entry in stored.items()}


def export(network: nn.Module, folder: str | Path, images: Tensor | None = None) -> Iterator[dict]:
    """Write `weights.<format>.pt` of a plain network and `small.<format>.pt` of the network without its empty filters.

    Yields rows: `<format>_bytes` and `small_<format>_bytes` on disk, `n_filters`, `small_n_filters`, and, given
    `images`, `small_difference`, the largest change of an output, and `latency_s` of a forward pass over them of the
    network, the smaller one, and the network with no zeros (`nonzero_`): zeros that stay in place buy no time.
    Raises ValueError for a redundant network.
    """
    if factors_of(network):
        raise ValueError("the network is redundant; merge(network) first, so that zeros are exact")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    small, filters = shrinking.shrink(network)
    for prefix, judged in (("", network), ("small_", small)):
        for name, pack in FORMATS.items():
            path = folder / f"{'small' if prefix else 'weights'}.{name}.pt"
            torch.save(pack(judged.state_dict()), path)
            yield {"metric": f"{prefix}{name}_bytes", "value": path.stat().st_size}
    for prefix, side in (("", 0), ("small_", 1)):
        yield {"metric": f"{prefix}n_filters", "value": sum(counts[side] for counts in filters.values())}
    if images is not None:
        with evaluating(network):
            difference = (network(images) - small(images)).abs().max().item()
        yield {"metric": "small_difference", "value": difference}
        for prefix, seconds in latencies({"": network, "small_": small, "nonzero_": filled(network)}, images).items():
            yield {"metric": f"{prefix}latency_s", "value": seconds}


@torch.no_grad()
def filled(network: nn.Module) -> nn.Module:
    """A copy in which no weight is zero: what the network would cost without having been pruned."""
    full = copy.deepcopy(network)
    for parameter in full.parameters():
        parameter.masked_fill_(parameter == 0, 1e-3)
    return full


def _rows(tensor: Tensor) -> Tensor | dict:
    if tensor.ndim < 2:
        return tensor.clone()
    table = tensor.flatten(1)
    kept = table != 0
    starts = nn.functional.pad(kept.sum(1).cumsum(0), (1, 0)).int()
    columns = kept.nonzero()[:, 1].int()
    return {"rows": starts, "columns": columns, "values": table[kept], "shape": list(tensor.shape)}


def _bits(tensor: Tensor) -> Tensor | dict:
    if tensor.ndim < 2:
        return tensor.clone()
    mask = tensor.flatten() != 0
    padded = nn.functional.pad(mask.to(torch.uint8), (0, -mask.numel() % 8)).view(-1, 8)
    weights = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8)
    return {
        "mask": (padded * weights).sum(1, dtype=torch.uint8),
        "values": tensor.flatten()[mask],
        "shape": list(tensor.shape),
    }


def _unpacked(entry: dict) -> Tensor:
    shape, values = entry["shape"], entry["values"]
    if "rows" in entry:
        table = torch.zeros(shape[0], torch.Size(shape[1:]).numel(), dtype=values.dtype)
        table[torch.arange(shape[0]).repeat_interleave(entry["rows"].diff()), entry["columns"].long()] = values
        return table.view(shape)
    shifts = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0], dtype=torch.uint8)
    mask = (entry["mask"][:, None] >> shifts & 1).flatten().bool()
    tensor = torch.zeros(mask.shape, dtype=values.dtype)
    tensor[mask] = values
    return tensor[: torch.Size(shape).numel()].view(shape)
