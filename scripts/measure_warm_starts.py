"""How to split the weights of a dense network into factors: spred from a trained network, by each split.

    python scripts/measure_warm_starts.py [--data-dir data] [--seeds 3] [--output warm_starts.csv]

ResNet-9 is trained densely, made redundant by each split, trained on with spred, pruned by magnitude at several
compressions and fine-tuned, all by the parts of the task `pruning`. Accuracy is on held-out training images. The splits
of w = u v differ in u^2 - v^2: 1 - w^2 (unit), that of a typical weight (off_balance), a tenth of it
(nearly_balanced), 0 (balanced), or that of two independent Gaussian factors of the product's variance (random).
"""

import argparse
import copy
import csv
from pathlib import Path

import torch
from torch import Tensor, nn

from spred_bench.classification import Recipe, accuracy
from spred_bench.data import digits, image_file
from spred_bench.methods.spred import Method as Spred
from spred_bench.methods.weight_decay import Method as WeightDecay
from spred_bench.models.resnet9 import Model
from spred_bench.pruning import masking, training
from spred_bench.redundancy import factors_of
from spred_bench.splits import to_device

COMPRESSIONS = (10, 30, 100)
COLUMNS = ("split", "kappa", "lr_multiplier", "seed", "compression", "metric", "value")


def with_imbalance(weight: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor]:
    """u, v with u v = w and u^2 - v^2 = gamma, of any sign; shapes as `weight`."""
    larger = ((gamma.abs() + (gamma.square() + 4 * weight.square()).sqrt()) / 2).sqrt()
    smaller = torch.where(larger > 0, weight / larger, 0.0)
    return torch.where(gamma > 0, larger, smaller), torch.where(gamma > 0, smaller, larger)


def nearly_balanced(weight: Tensor, generator) -> tuple[Tensor, Tensor]:
    return with_imbalance(weight, 0.1 * weight.square().mean().sqrt().expand_as(weight))


def random(weight: Tensor, generator) -> tuple[Tensor, Tensor]:
    u, v = (torch.randn(weight.shape, generator=generator) for _ in range(2))
    return with_imbalance(weight, weight.square().mean().sqrt() * (u.square() - v.square()))


OWN = {split.__name__: split for split in (nearly_balanced, random)}
SPLITS = ("unit", "off_balance", "balanced", *OWN)


class Warm(Spred):
    """spred from the weights there are, by a split of the package or of this script."""

    split: str = "off_balance"

    @torch.no_grad()
    def prepare(self, network: nn.Module, generator=None) -> None:
        weights = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.init = "off_balance" if self.split in OWN else self.split
        super().prepare(network, generator)
        for name, (first, second) in factors_of(network).items() if self.split in OWN else ():
            u, v = OWN[self.split](weights[name], generator)
            first.copy_(u)
            second.copy_(v)


def measure(setting: training.Setting, dense: nn.Module, method: Warm, kappa: float, seed: int):
    """(compression or 1 for none, metric, accuracy on dev) of one training that begins at `dense`."""
    dev = setting.data.dev
    start = copy.deepcopy(dense)
    starting = training.Setting(**{**vars(setting), "model": Given(start)})
    trained = training.train(starting, method, kappa, seed, threshold=1e-6)
    yield 1, "accuracy", accuracy(trained.network, dev.images, dev.labels).item()
    for ratio in COMPRESSIONS:
        network, kept = masking.pruned(trained.network, method, compression=ratio)
        training.train_sparse(setting, network, kept, seed, recipe=setting.fine_tuning)
        yield ratio, "fine_tuned_accuracy", accuracy(network, dev.images, dev.labels).item()


class Given:
    """A model component that gives the network it was given."""

    def __init__(self, network: nn.Module):
        self.network = network

    def build(self, shape, n_classes, generator) -> nn.Module:
        return self.network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder of cifar10_subset.npz; without it, scikit-learn's digits")
    parser.add_argument("--n-train", type=int, default=10800, help="images of CIFAR-10")
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kappas", type=float, nargs="+", default=[3e-4, 1e-3])
    parser.add_argument("--multipliers", type=float, nargs="+", default=[5.0])
    parser.add_argument("--output", type=Path, help="write the rows as CSV")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.data_dir:
        source = image_file.Source(path=options.data_dir / "cifar10_subset.npz", n_train=options.n_train)
        data, augmentation = to_device(source.load(0), 0.2, "cpu", standardise=True), (4, True)
    else:
        data, augmentation = to_device(digits.Source().load(0), 0.4, "cpu", standardise=True), (1, False)
    how = {"autocast": "bfloat16", "channels_last": True}
    recipe = Recipe(options.epochs, 64, 0.1, "sgd", "one_cycle", **how)
    setting = training.Setting(data, Model(width=8), recipe, Recipe(1, 64, 2e-3, "adam", **how), *augmentation)
    found = []
    for seed in range(options.seeds):
        dense = training.train(setting, WeightDecay(), 2.5e-4, seed).network
        print("dense", seed, f"{100 * accuracy(dense, data.dev.images, data.dev.labels):.1f}", flush=True)
        for kappa in options.kappas:
            for multiplier in options.multipliers:
                for split in SPLITS:
                    method = Warm(weight_decay=5e-4, lr_multiplier=multiplier)
                    method.split = split
                    rows = list(measure(setting, dense, method, kappa, seed))
                    found += [(split, kappa, multiplier, seed, *row) for row in rows]
                    shown = "  ".join(f"{ratio}: {100 * value:.1f}" for ratio, _, value in rows)
                    print(f"{split:16} kappa {kappa:g} multiplier {multiplier:g} seed {seed}  {shown}", flush=True)
    if options.output:
        with open(options.output, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, *found])


if __name__ == "__main__":
    main()
