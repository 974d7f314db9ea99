"""What the trainer costs: against a bare PyTorch loop, and stacked networks against one after another.

    python scripts/benchmark_trainer.py [folder for the rows] [--repeats 7] [--threads 1]

Both sides of a pair run in turn, in the same process, on the same data with the same seed; a ratio is of two
neighbours in time, and the median over pairs is reported, so that a busy machine disturbs both. Images are random:
their values do not change the time.
"""

import argparse
import itertools
import statistics
import time

import torch
from reference_rows import Measurement
from torch import nn

from spred_bench.components.methods.weight_decay import Method
from spred_bench.components.models.mlp import Model
from spred_bench.experiments import network_training
from spred_bench.experiments.network_training import Recipe
from spred_bench.system.allocation import keep_freed_memory

# name: (image side, hidden nodes, batch, steps per timing)
SIZES = {"digits": (8, 100, 64, 300), "mnist": (28, 1000, 128, 30)}
KAPPAS = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1]


def networks(side: int, hidden: int, count: int) -> list[nn.Module]:
    """`count` networks of the same start."""
    model = Model(hidden=hidden)
    return [model.build((1, side, side), 10, torch.Generator().manual_seed(0)) for _ in range(count)]


def bare(network, images, labels, batch: int, steps: int, autocast: bool) -> float:
    """Seconds of the loop one would write by hand: Adam with weight decay, shuffled minibatches."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=2 * KAPPAS[0], fused=True)
    start, done = time.perf_counter(), 0
    while done < steps:
        order = torch.randperm(len(labels))
        for rows in order.split(batch)[: steps - done]:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            done += 1
    return time.perf_counter() - start


def trainer(network, kappa, images, labels, batch: int, steps: int, autocast: bool) -> float:
    """Seconds of the same by the trainer, everything included but the construction of the network."""
    per_epoch = -(-len(labels) // batch)
    recipe = Recipe(steps / per_epoch, batch, 1e-3, autocast="bfloat16" if autocast else None)
    start = time.perf_counter()
    run = network_training.fit(network, Method(), kappa, images, labels, recipe, seed=0)
    assert run.step == steps and run.status == "done"
    return time.perf_counter() - start


def overhead(side, hidden, batch, steps, data, autocast) -> tuple[float, float]:
    """(trainer, bare loop)."""
    one, other = networks(side, hidden, 2)
    return trainer(one, KAPPAS[0], *data, batch, steps, autocast), bare(other, *data, batch, steps, autocast)


def stacking(side, hidden, batch, steps, data, autocast) -> tuple[float, float]:
    """(8 networks one after another, 8 stacked)."""
    alone = sum(
        trainer(network, kappa, *data, batch, steps, autocast)
        for network, kappa in zip(networks(side, hidden, len(KAPPAS)), KAPPAS, strict=True)
    )
    stack = Model(hidden=hidden).stack(networks(side, hidden, len(KAPPAS)))
    return alone, trainer(stack, torch.tensor(KAPPAS), *data, batch, steps, autocast)


# name: (the two sides of a pair, what their quotient is called, which function times them)
BENCHMARKS = {
    "trainer": ("trainer_s", "bare_loop_s", "trainer_to_bare_loop_ratio", overhead),
    "stacking": ("one_by_one_s", "stacked_s", "one_by_one_to_stacked_ratio", stacking),
}


def main() -> None:
    """Run the pairs, print medians, and write the pairs where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="for the rows (default: results/reference/trainer_overhead)")
    parser.add_argument("--repeats", type=int, default=7, help="pairs per benchmark, after one that is not counted")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    options = parser.parse_args()
    keep_freed_memory()  # as every run does
    torch.set_num_threads(options.threads)
    measurement = Measurement("trainer_overhead", options.folder, ["benchmark", "size", "precision", "pair", "threads"])
    medians = []
    for size, precision, name in itertools.product(options.sizes, ("float32", "bfloat16"), BENCHMARKS):
        side, hidden, batch, steps = SIZES[size]
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(20 * batch, 1, side, side, generator=generator)
        data = images, torch.randint(0, 10, (len(images),), generator=generator)
        *sides, quotient, benchmark = BENCHMARKS[name]
        ratios = []
        for pair in range(-1, options.repeats):
            times = benchmark(side, hidden, batch, steps, data, precision == "bfloat16")
            if pair < 0:
                continue  # the first one warms up
            ratios.append(times[0] / times[1])
            keys = {"benchmark": name, "size": size, "precision": precision, "pair": pair, "threads": options.threads}
            for metric, value in zip([*sides, quotient], [*times, ratios[-1]], strict=True):
                measurement.add(metric, value, **keys, step=steps)
        medians.append(f"{size:7} {precision:9} {quotient:28} {statistics.median(ratios):.3f}")
        medians[-1] += f"  ({min(ratios):.3f} to {max(ratios):.3f})"
    measurement.write(repeats=options.repeats, threads=options.threads, sizes={name: SIZES[name] for name in SIZES})
    print("", "medians over pairs (and range)", *medians, sep="\n")


if __name__ == "__main__":
    main()
