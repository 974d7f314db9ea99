"""The module that multiplies the factors; torch calls it whenever the weight is read."""

from torch import Tensor, nn

from spred_bench.redundancy.starts import off_balance


class Product(nn.Module):
    """The effective weight `u_1 * ... * u_D`: gates of size 1 along `dims`, then one full factor."""

    def __init__(self, depth: int, dims: tuple[int, ...], start: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.depth = depth
        self.dims = dims
        self._start = start

    def forward(self, *factors: Tensor) -> Tensor:
        product = factors[0]
        for factor in factors[1:]:
            product = product * factor
        return product

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Return the starting factors when registered; later, split what `layer.weight = tensor` assigns."""
        if self._start is not None:
            start, self._start = self._start, None
            return start
        return tuple(off_balance(weight, self.depth, self.dims))

    def extra_repr(self) -> str:
        return f"depth={self.depth}, dims={self.dims}"
