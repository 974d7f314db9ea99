"""What the trainer costs: against a bare PyTorch loop, and stacked networks against one after another.

    python scripts/benchmark_trainer.py [--repeats 7] [--threads 1] [--output trainer.csv]

Both sides of a pair run in turn, in the same process, on the same data with the same seed; a ratio is of two
neighbours in time, and the median over pairs is reported, so that a busy machine disturbs both. Images are random:
their values do not change the time.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import torch
from torch import nn

from spred_bench import classification
from spred_bench.classification import Recipe
from spred_bench.methods.weight_decay import Method
from spred_bench.models.mlp import Model

# name: (image side, hidden nodes, batch, steps per timing)
SIZES = {"digits": (8, 100, 64, 300), "mnist": (28, 1000, 128, 30)}
KAPPAS = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1]
COLUMNS = ("benchmark", "size", "autocast", "pair", "first_s", "second_s", "ratio", "steps", "threads", "torch")


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
    run = classification.fit(network, Method(), kappa, images, labels, recipe, seed=0)
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


BENCHMARKS = {"trainer / bare loop": overhead, "8 alone / 8 stacked": stacking}


def main() -> None:
    """Run the pairs, print medians, and write the pairs where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="pairs per benchmark, after one that is not counted")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--output", type=Path, help="write the pairs as CSV")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for size in options.sizes:
        side, hidden, batch, steps = SIZES[size]
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(20 * batch, 1, side, side, generator=generator)
        data = images, torch.randint(0, 10, (len(images),), generator=generator)
        for autocast in (False, True):
            for name, benchmark in BENCHMARKS.items():
                pairs = [benchmark(side, hidden, batch, steps, data, autocast) for _ in range(options.repeats + 1)][1:]
                ratios = [first / second for first, second in pairs]
                precision = "bfloat16" if autocast else "float32"
                spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
                print(f"{size:7} {precision:9} {name:20} {statistics.median(ratios):.3f}  ({spread})", flush=True)
                stamp = (steps, options.threads, torch.__version__)
                rows += [(name, size, precision, i, *pair, pair[0] / pair[1], *stamp) for i, pair in enumerate(pairs)]
    if options.output:
        with open(options.output, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
