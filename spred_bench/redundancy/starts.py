"""Starting values of the factors: how a given weight is split, and why the split decides the training.

Let `gamma = u^2 - v^2`. Under gradient flow only weight decay changes gamma, and makes it fade. The weight `w = u v`
moves at the speed `u^2 + v^2 = sqrt(4 w^2 + gamma^2)`. An exactly balanced split (gamma = 0) therefore stops at `w = 0`
and never changes its sign. Far off balance neither the speed nor the penalty depends on w: `kappa (u^2 + v^2)` is
`kappa sqrt(4 w^2 + gamma^2)`, which acts as plain weight decay as long as gamma exceeds |w|. A useful start is between
the two; docs/method.md has the measurements.

All functions take the weight and `dims`, the dimensions that one scalar is shared along (`()` for one
scalar per element), and return `depth` factors: `depth - 1` gates, of size 1 along `dims`, and last a
tensor of the weight's shape.
"""

import torch
from torch import Generator, Tensor


def off_balance(weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None) -> list[Tensor]:
    """Keep the weight; the gates' squares exceed the last factor's by a typical weight's balanced square.

    With n the group's norm (|w| for single weights) the gates are `sqrt(s + gamma)` and the last factor has
    norm `sqrt(s)`, where `s (s + gamma)^(depth - 1) = n^2` and `gamma = rms(n)^(2/depth)`. The
    gates are never zero, so the last factor can carry w through zero; the penalty is close to L1 from the
    first step for weights above the typical size. Nothing is random. An all-zero weight has no typical
    size: 1 is taken.
    """
    norm = group_norm(weight, dims).double()
    typical = norm.square().mean().sqrt()
    typical = torch.where(typical > 0, typical, 1.0)
    gamma = typical ** (2.0 / depth)
    gate = (_smallest_square(norm, gamma, depth) + gamma).sqrt()
    return _keep(weight, [gate] * (depth - 1))


def independent(weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None) -> list[Tensor]:
    """Redraw: independent Gaussian factors whose product has the weight's mean square; its values are lost.

    For training from scratch: many products start near zero, which gave the sparsest short runs. All
    factors carry the same expected square (a group's norm counts for the last). Raises ValueError for
    an all-zero weight, which has no scale to match.
    """
    power = weight.double().square().mean().item()
    if power == 0:
        raise ValueError("is all zero, so init='independent' has no scale to match; use init='off_balance'")
    size = weight.numel() / group_norm(weight, dims).numel()
    last_power = (power / size ** (depth - 1)) ** (1.0 / depth)
    gate_shape = group_norm(weight, dims).shape

    def draw(shape, square):
        noise = torch.randn(shape, generator=generator, dtype=torch.float64, device=_device(generator, weight))
        return (noise * square**0.5).to(weight)

    return [draw(gate_shape, size * last_power) for _ in range(depth - 1)] + [draw(weight.shape, last_power)]


def unit(weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None) -> list[Tensor]:
    """Keep the weight bit for bit: gates 1, last factor w.

    Acts as plain weight decay until `exp(-2B/depth)`, B the decay budget, is small: slow to sparsify, but
    strong penalties do not extinguish a deep network before it has learned. A weight of exactly 1 or -1
    starts balanced (see `sign_locked`).
    """
    return [*[torch.ones_like(group_norm(weight, dims)) for _ in range(depth - 1)], weight.clone()]


def balanced(weight: Tensor, depth: int, dims: tuple[int, ...], generator: Generator | None = None) -> list[Tensor]:
    """Keep the weight, all factors of equal size. WARNING: locks every sign; for demonstrations only.

    Gradient descent keeps the balance, so that no weight can change its sign and one at zero stays there.
    """
    gate = group_norm(weight, dims).double() ** (1.0 / depth)
    factors = _keep(weight, [gate] * (depth - 1))
    if not dims:  # dividing would leave a rounding error of imbalance, which training can amplify
        factors[-1] = factors[0] * weight.sign()
    return factors


STARTS = {start.__name__: start for start in (off_balance, independent, unit, balanced)}


def group_norm(weight: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Return the Euclidean norm along `dims`, kept as dimensions of size 1; `|w|` where dims is empty."""
    return torch.linalg.vector_norm(weight, dim=dims, keepdim=True) if dims else weight.abs()


def _smallest_square(norm: Tensor, gamma: Tensor, depth: int) -> Tensor:
    """Return s >= 0 with `s (s + gamma)^(depth - 1) = norm^2`; shapes as `norm`, gamma a positive scalar."""
    if depth == 2:  # the stable root: no difference of nearly equal numbers
        return 2.0 * norm.square() / (gamma + (gamma.square() + 4.0 * norm.square()).sqrt())
    # Newton for x = log s: convex and increasing in x, and the balanced start lies right of the root.
    target = 2.0 * norm.clamp_min(1e-30 * gamma).log()
    x = target / depth
    for _ in range(50):
        s = x.exp()
        step = (x + (depth - 1) * (s + gamma).log() - target) / (1.0 + (depth - 1) * s / (s + gamma))
        x = x - step
        if step.max() < 1e-9:
            break
    return x.exp()


def _keep(weight: Tensor, gates: list[Tensor]) -> list[Tensor]:
    """Round the gates to the weight's type and give the last factor what is missing."""
    gates = [gate.to(weight) for gate in gates]
    product = torch.stack([gate.double() for gate in gates]).prod(0)
    last = torch.where(product > 0, weight.double() / product, 0.0)
    return [*gates, last.to(weight)]


def _device(generator: Generator | None, weight: Tensor) -> torch.device:
    return weight.device if generator is None else generator.device
