"""A physically smaller network with the same outputs: filters that cannot affect the output are cut out.

A filter goes if all its weights are zero, or if nothing after it has a weight on its channel, and if its channel runs
through normalisation, activation and pooling into a single next layer. Channels that meet others in a sum (the
output of a residual block) stay: both sides of the sum need them.

A filter without weights still has an output: normalisation makes its channel a constant c_j, which the next layer, with
its zero padding, sees as an image with a border. One such channel therefore stays, with value c_0, and stands for all:
its weights in the next layer become sum_j (c_j / c_0) W_j. This is exact, padding included.
"""

import copy
import operator
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from spred_bench.redundancy import factors_of

_PROBE = (24, 40)  # size of the image that constants are sent through; no number of channels is mistaken for it
_MODULES = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten),
    *(nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Tanh, nn.ELU, nn.Hardswish),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)
_FUNCTIONS = (
    *(F.relu, torch.relu, F.silu, F.gelu, torch.tanh, F.leaky_relu, torch.flatten),
    *(F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
)
_METHODS = ("relu", "tanh", "flatten", "contiguous")
_REDUCTIONS = ("mean", "amax")  # over the image alone


@dataclass(frozen=True)
class Chain:
    """`first` and `last`, the layers between which channels may go, and the nodes between them."""

    first: str
    last: str
    between: list[fx.Node]


@torch.no_grad()
def shrink(network: nn.Module) -> tuple[nn.Module, dict[str, tuple[int, int]]]:
    """Return a smaller copy of a plain network, in evaluation mode, and {layer: (filters before, after)}.

    Outputs are equal up to rounding in evaluation mode, the mode to use it in. ValueError for a network that is still
    redundant, or whose forward pass depends on its input's values.
    """
    if factors_of(network):
        raise ValueError("the network is redundant; merge(network) first, so that zeros are exact")
    small = copy.deepcopy(network).eval()
    chains = _chains(small)
    before = {chain.first: len(small.get_submodule(chain.first).weight) for chain in chains}
    # From the back: a filter that goes takes its inputs with it. Again, because that may empty other filters.
    while any([_cut(small, chain) for chain in reversed(chains)]):
        pass
    return small, {name: (count, len(small.get_submodule(name).weight)) for name, count in before.items()}


@torch.no_grad()
def load_shrunk(network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Give a full network the sizes and values of a smaller one's state_dict, in place; return it."""
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)):
            for kind, own in [*module._parameters.items(), *module._buffers.items()]:
                key = f"{name}.{kind}" if name else kind
                if own is not None and key in tensors and own.shape != tensors[key].shape:
                    _replace(module, kind, tensors[key])
            _state_sizes(module)
    network.load_state_dict(tensors)
    return network


def _chains(network: nn.Module) -> list[Chain]:
    try:
        graph = fx.Tracer().trace(network)
    except Exception as error:  # tracing runs the model's own code on a stand-in
        reason = str(error).partition("\n")[0]
        name = type(network).__name__
        raise ValueError(f"{name} cannot be shrunk: its forward pass cannot be traced ({reason})") from None
    modules = dict(network.named_modules())
    called = [node.target for node in graph.nodes if node.op == "call_module"]
    found = []
    for node in graph.nodes:
        if not _is_layer(modules, node) or called.count(node.target) > 1:
            continue
        between, here = [], node
        while len(here.users) == 1:
            (here,) = here.users
            if _is_layer(modules, here):
                if called.count(here.target) == 1 and here.args[0] in (node, *between):
                    found.append(Chain(node.target, here.target, between))
                break
            if not _keeps_channels_apart(modules, here) or (here.op == "call_module" and called.count(here.target) > 1):
                break
            between.append(here)
    return found


def _is_layer(modules: dict, node: fx.Node) -> bool:
    module = modules.get(node.target) if node.op == "call_module" else None
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def _keeps_channels_apart(modules: dict, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(modules[node.target], _MODULES)
    if node.op == "call_method" and node.target in _REDUCTIONS:
        return tuple(node.args[1:2]) in (((2, 3),), ((-2, -1),), ([2, 3],), ([-2, -1],))
    return node.target in (_FUNCTIONS if node.op == "call_function" else _METHODS)


def _cut(network: nn.Module, chain: Chain) -> bool:
    """Cut what can go between two layers; tell whether anything did."""
    first, last = network.get_submodule(chain.first), network.get_submodule(chain.last)
    n_channels = len(first.weight)
    constants = _constants(network, chain, first)
    if constants is None:
        return False
    columns = _columns(last.weight, n_channels)
    unheard = ~columns.flatten(2).any(2).any(0)
    empty = ~first.weight.flatten(1).any(1)
    steady = empty & ~unheard & (constants != 0)
    keep = ~(unheard | empty)
    if steady.any():
        carrier = (constants.abs() * steady).argmax()
        share = (constants * steady / constants[carrier]).double()
        columns = columns.clone()
        columns[:, carrier] = torch.einsum("oc...,c->o...", columns.double(), share).to(columns)
        keep[carrier] = True
    if not keep.any():
        keep[0] = True  # a layer has one channel at least; this one has no weights before or after it
    if keep.all():
        return False
    _replace(first, "weight", first.weight[keep])
    if first.bias is not None:
        _replace(first, "bias", first.bias[keep])
    _replace(last, "weight", columns[:, keep].reshape(len(last.weight), -1, *last.weight.shape[2:]))
    norms = [network.get_submodule(node.target) for node in chain.between if node.op == "call_module"]
    for norm in norms:
        for kind, tensor in [*norm._parameters.items(), *norm._buffers.items()]:
            if tensor is not None and tensor.ndim == 1:
                _replace(norm, kind, tensor[keep])
    for module in (first, last, *norms):
        _state_sizes(module)
    return True


def _columns(weight: Tensor, n_channels: int) -> Tensor:
    """(out, channels, ...): of a linear layer after flattening, a channel has as many columns as pixels."""
    return weight.unflatten(1, (n_channels, -1)) if weight.ndim == 2 else weight


def _constants(network: nn.Module, chain: Chain, first: nn.Module) -> Tensor | None:
    """(channels,) what the next layer sees of a filter without weights; None if that is not constant over the image."""
    values = torch.zeros(len(first.weight)) if first.bias is None else first.bias.cpu()
    values = values.to(first.weight)
    x = values.view(1, -1, 1, 1).expand(1, -1, *_PROBE) if isinstance(first, nn.Conv2d) else values.view(1, -1)
    for node in chain.between:
        rest = node.args[1:]
        if node.op == "call_module":
            x = network.get_submodule(node.target)(x)
        elif node.op == "call_function":
            x = node.target(x, *rest, **node.kwargs)
        else:
            x = operator.methodcaller(node.target, *rest, **node.kwargs)(x)
    if x.numel() % len(values) or x.ndim < 2 or x.shape[1] % len(values):
        return None
    pixels = x.reshape(len(values), -1)
    return pixels[:, 0] if torch.equal(pixels, pixels[:, :1].expand_as(pixels)) else None


def _replace(module: nn.Module, kind: str, tensor: Tensor) -> None:
    if kind in module._parameters:
        module._parameters[kind] = nn.Parameter(tensor.clone(), requires_grad=module._parameters[kind].requires_grad)
    else:
        module._buffers[kind] = tensor.clone()


def _state_sizes(module: nn.Module) -> None:
    """Let the module say of itself what its tensors are."""
    if isinstance(module, nn.Conv2d):
        module.out_channels, module.in_channels = module.weight.shape[:2]
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        module.num_features = len(module.running_mean)
