"""Patches in units that one thread codes at a time, each with the codes of its last visit, packed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spred_bench.sparse_coding.encoder import Dictionary, run_blocks, solve_block
from spred_bench.sparse_coding.statistics import Packed, pack, unpack


class Units:
    """The patches (n, m) in fixed units of `size` in a random order, each with the codes of its last visit."""

    def __init__(self, X: Tensor, k: int, size: int, seed: int):
        self._rng, self._k = np.random.default_rng([seed, 2]), k
        order = torch.from_numpy(self._rng.permutation(len(X)))
        self._patches = [X[rows] for rows in order.split(size)]
        self._codes = [pack(np.zeros((len(x), k), np.float32)) for x in self._patches]
        self._queue: list[int] = []

    def __len__(self) -> int:
        return len(self._patches)

    def draw(self, n_patches: float) -> list[int]:
        """The next units, about `n_patches` patches and one unit at least; each unit once before any comes again."""
        batch: list[int] = []
        for _ in range(min(max(1, round(n_patches / len(self._patches[0]))), len(self))):
            self._queue = self._queue or self._rng.permutation(len(self)).tolist()
            if self._queue[-1] in batch:
                break
            batch.append(self._queue.pop())
        return batch

    def encode(
        self, batch: Sequence[int], dictionary: Dictionary, kappa: float, gap: float
    ) -> list[tuple[Tensor, Packed]]:
        """Improve the codes of these units to the relative gap `gap`; patches and codes of each."""

        def work(unit: int) -> None:
            S = torch.from_numpy(unpack(self._codes[unit], self._k))
            solve_block(self._patches[unit], S, dictionary, kappa, gap)
            self._codes[unit] = pack(S.numpy())

        run_blocks(work, batch)
        return [(self._patches[unit], self._codes[unit]) for unit in batch]
