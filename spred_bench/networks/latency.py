"""Latency of networks: median seconds of a forward pass, the networks taken in turn."""

import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from spred_bench.training.callbacks import evaluating


def latencies(networks: Mapping[str, nn.Module], images: Tensor, rounds: int = 50) -> dict[str, float]:
    """Median seconds of a forward pass of each, in turn, so that a busy machine disturbs all alike."""
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            with evaluating(network):
                start = time.perf_counter()
                network(images)
                if images.is_cuda:
                    torch.cuda.synchronize(images.device)
                if turn:  # the first round warms up
                    times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
