"""Starting values of the factors: how a given weight is split, and why the split decides the training.

Under gradient flow `u^2 - v^2` of every weight only fades with the decay, and `w = u v` moves at the speed
`u^2 + v^2 = sqrt(4 w^2 + (u^2 - v^2)^2)`. An exactly balanced split therefore stops at `w = 0` and never
changes its sign. Far off balance the speed and the penalty forget w: `kappa (u^2 + v^2)` is `kappa sqrt(4
w^2 + gamma^2)`, plain weight decay as long as `gamma = u^2 - v^2` exceeds |w|. In between lies the useful
range.

All functions take the weight and `dims`, the dimensions that one scalar is shared along (`()` for one
scalar per element), and return `depth` factors: `depth - 1` gates, of size 1 along `dims`, and last a
tensor of the weight's shape.
"""

import torch
from torch import Generator, Tensor

# Measured on a small network (docs/method.md): flat between 0.1 and 1, worse at 0 and beyond 3.
OFFSET = 0.5


def off_balance(
    weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None
) -> list[Tensor]:
    """Keep the weight; every gate's square exceeds the last factor's by half the typical size of a balanced square.

    With n the group's norm (|w| for single weights) the gates are `sqrt(s + gamma)` and the last factor has
    norm `sqrt(s)`, where `s (s + gamma)^(depth - 1) = n^2` and `gamma = OFFSET * rms(n)^(2/depth)`. The
    gates are never zero, so the last factor can carry w through zero. Nothing is random. An all-zero weight
    has no typical size: 1.
    """
    norm = group_norm(weight, dims).double()
    typical = norm.square().mean().sqrt()
    typical = torch.where(typical > 0, typical, 1.0)
    gamma = OFFSET * typical ** (2.0 / depth)
    target = 2.0 * norm.clamp_min(1e-30 * typical).log()
    # Newton for x = log s: convex and increasing in x, and the balanced start lies right of the root.
    x = target / depth
    for _ in range(30):
        s = x.exp()
        residual = x + (depth - 1) * (s + gamma).log() - target
        x = x - residual / (1.0 + (depth - 1) * s / (s + gamma))
    gate = (x.exp() + gamma).sqrt()
    return _keep(weight, [gate] * (depth - 1))


def independent(
    weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None
) -> list[Tensor]:
    """Redraw: independent Gaussian factors whose product has the weight's mean square; its values are lost.

    All factors carry the same expected square (a group's norm counts for the last). Raises ValueError for
    an all-zero weight, which has no scale to match.
    """
    power = weight.double().square().mean().item()
    if power == 0:
        raise ValueError("is all zero, so init='independent' has no scale to match; use init='off_balance'")
    size = weight.numel() / group_norm(weight, dims).numel()
    last_power = (power / size ** (depth - 1)) ** (1.0 / depth)
    gate_shape = group_norm(weight, dims).shape

    def draw(shape, square):
        noise = torch.randn(
            shape, generator=generator, dtype=torch.float64, device=_device(generator, weight)
        )
        return (noise * square**0.5).to(weight)

    return [draw(gate_shape, size * last_power) for _ in range(depth - 1)] + [draw(weight.shape, last_power)]


def unit(
    weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None
) -> list[Tensor]:
    """Keep the weight bit for bit: gates 1, last factor w.

    Acts as plain weight decay until `exp(-2B/depth)`, B the decay budget, is small: for long training
    alone.
    """
    return [*[torch.ones_like(group_norm(weight, dims)) for _ in range(depth - 1)], weight.clone()]


def balanced(
    weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None
) -> list[Tensor]:
    """Keep the weight, all factors of equal size. WARNING: locks every sign; for demonstrations only.

    Gradient descent keeps the balance, so that no weight can change its sign and one at zero stays there.
    """
    gate = group_norm(weight, dims).double() ** (1.0 / depth)
    return _keep(weight, [gate] * (depth - 1))


STARTS = {start.__name__: start for start in (off_balance, independent, unit, balanced)}


def group_norm(weight: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the Euclidean norm along `dims`, kept as dimensions of size 1; `|w|` where dims is empty."""
    return torch.linalg.vector_norm(weight, dim=dims, keepdim=True) if dims else weight.abs()


def _keep(weight: Tensor, gates: list[Tensor]) -> list[Tensor]:
    """Round the gates to the weight's type and give the last factor what is missing."""
    gates = [gate.to(weight) for gate in gates]
    product = torch.stack([gate.double() for gate in gates]).prod(0)
    last = torch.where(product > 0, weight.double() / product, 0.0)
    return [*gates, last.to(weight)]


def _device(generator: Generator | None, weight: Tensor) -> torch.device:
    return weight.device if generator is None else generator.device
