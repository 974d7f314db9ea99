"""What spred adds to a training step of ResNet18 for CIFAR: time of paired steps, peak memory.

    python scripts/benchmark_spred_overhead.py [folder] [--pairs 50] [--threads 2]

A dense step and a spred step in turn, in one process, on the same batch; a ratio is of two neighbours in time, and
which goes first alternates. A step is forward, backward and update: SGD with momentum, weight decay. Memory is
the peak of a process that makes three steps and nothing else. Images are random: their values do not change the time.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import time

import torch
from reference_rows import Measurement
from torch import nn

from spred_bench.components.methods.spred import Method as Spred
from spred_bench.components.methods.weight_decay import Method as WeightDecay
from spred_bench.components.models.resnet18 import Model
from spred_bench.system import machine
from spred_bench.system.allocation import keep_freed_memory
from spred_bench.system.device import FlushDenormals, resolve_device
from spred_bench.training import optimizers
from spred_bench.training.forward import Forward

METHODS = {"dense": WeightDecay(), "spred": Spred(), "spred_depth3": Spred(depth=3)}
KAPPA = 2.5e-4
PRECISIONS = ("bfloat16", "float32")
KEYS = ("width", "batch_size", "precision", "threads", "device", "compile", "pair", "kappa", "l1_strength")


class Step:
    """One training step of one method, on a network of its own that starts as the others'."""

    def __init__(self, method: str, options):
        self.device = resolve_device(options.device)
        generator = torch.Generator().manual_seed(0)
        self.network = Model(width=options.width).build((3, 32, 32), 10, generator)
        METHODS[method].prepare(self.network, generator)
        self.network.to(self.device, memory_format=torch.channels_last)
        groups = METHODS[method].parameter_groups(self.network, KAPPA)
        self.optimizer = optimizers.build("sgd", groups, 0.1)
        autocast = "bfloat16" if options.precision == "bfloat16" else None
        self.forward = Forward(self._loss, self.device, autocast, channels_last=True, compile=options.compile)
        images = torch.randn(options.batch_size, 3, 32, 32, generator=generator)
        labels = torch.randint(0, 10, (options.batch_size,), generator=generator)
        self.batch = images.to(self.device), labels.to(self.device)

    def _loss(self, network, batch):
        return nn.functional.cross_entropy(network(batch[0]), batch[1])

    def seconds(self) -> float:
        """Make one step."""
        self._wait()
        start = time.perf_counter()
        self.optimizer.zero_grad()
        self.forward(self.network, self.batch).backward()
        self.optimizer.step()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def paired(method: str, options) -> list[tuple[float, float]]:
    """(dense, method) seconds of each pair."""
    dense, other = Step("dense", options), Step(method, options)
    for step in (dense, other):
        step.seconds()  # warms up, compiles
    pairs = []
    for pair in range(options.pairs):
        if pair % 2:
            second = other.seconds()
            pairs.append((dense.seconds(), second))
        else:
            first = dense.seconds()
            pairs.append((first, other.seconds()))
    return pairs


def peak_memory_bytes(method: str, options) -> int:
    """Of a process of its own that makes three steps, interpreter and libraries included; on CUDA of tensors alone."""
    words = ["--memory-of", method, "--precision", options.precision, "--device", options.device]
    sizes = ["--batch-size", str(options.batch_size), "--width", str(options.width), "--threads", str(options.threads)]
    command = [sys.executable, __file__, *words, *sizes, *(["--compile"] if options.compile else [])]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(method: str, options, measurement: Measurement) -> str:
    """Every row of one method and precision; returns a line that sums them up."""
    keys = {name: getattr(options, name) for name in ("width", "batch_size", "precision", "threads", "compile")}
    keys |= {"method": method, "dataset": "random", "device": str(resolve_device(options.device))}
    keys |= {"kappa": KAPPA, "l1_strength": 2 * KAPPA}
    pairs = paired(method, options)
    for pair, (dense, other) in enumerate(pairs):
        measurement.add("dense_step_s", dense, pair=pair, **keys)
        measurement.add("step_s", other, pair=pair, **keys)
    ratios = [other / dense for dense, other in pairs]
    measurement.add("step_ratio", statistics.median(ratios), **keys)
    memory, base = (peak_memory_bytes(name, options) for name in (method, "dense"))
    measurement.add("peak_memory_bytes", memory, **keys)
    measurement.add("dense_peak_memory_bytes", base, **keys)
    measurement.add("peak_memory_ratio", memory / base, **keys)
    return (
        f"{method:13} {options.precision:9} step {statistics.median(p[1] for p in pairs):.3f} s, dense "
        f"{statistics.median(p[0] for p in pairs):.3f} s, ratio {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f}); peak memory {memory / 2**20:.0f} MiB, dense {base / 2**20:.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="for the rows (default: results/reference/spred_overhead)")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS)[1:], default=["spred"])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile of loss and network, for both")
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_freed_memory()  # as every run does
    torch.set_num_threads(options.threads)
    if options.memory_of:
        (options.precision,) = options.precision
        step = Step(options.memory_of, options)
        for _ in range(3):
            step.seconds()
        print(machine.peak_memory_bytes(step.device))
        return
    measurement, lines = Measurement("spred_overhead", options.folder, KEYS), []
    with FlushDenormals():
        for precision, method in itertools.product(options.precision, options.methods):
            options.precision = precision
            lines.append(measure(method, options, measurement))
    measurement.write(pairs=options.pairs)
    print("", "medians over pairs (and range)", *lines, sep="\n")


if __name__ == "__main__":
    main()
