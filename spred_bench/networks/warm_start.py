"""Begin with the weights of a dense network: a file of tensors, plain or as `export` writes them."""

from pathlib import Path

from torch import Tensor, nn

from spred_bench.errors import UserError
from spred_bench.networks import export
from spred_bench.training.snapshot import ModelMismatch, load_tensors


def load_dense(network: nn.Module, path: str | Path, key: str = "warm_start") -> nn.Module:
    """Put the tensors of `path` into a plain network, in place, before it is made redundant; return it.

    A file of `torch.save(network.state_dict(), path)`, of that under "state_dict", or of `export`. `key` is what the
    user set the path by. Raises UserError, the network untouched, for a file that is missing, is not one of tensors,
    holds NaN, or belongs to another architecture: naming the first tensor that differs, and how.
    """
    try:
        tensors = export.load(path)
    except FileNotFoundError:
        raise UserError(f"{key}={path}: no such file") from None
    except Exception as error:  # torch and pickle each fail in their own way on a foreign file
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{key}={path}: not a file of tensors ({reason})") from None
    broken = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise UserError(f"{key}={path}: '{broken[0]}' holds NaN or infinity")
    try:
        load_tensors(network, _in_precision_of(network, tensors))
    except ModelMismatch as mismatch:
        raise UserError(f"{key}={path} does not fit {type(network).__name__}: {mismatch}") from None
    return network


def _in_precision_of(network: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors in the network's own type: a file may be stored in half precision."""
    own = network.state_dict()
    floats = {name: t for name, t in tensors.items() if t.is_floating_point() and name in own}
    return {**tensors, **{name: t.to(own[name].dtype) for name, t in floats.items()}}
