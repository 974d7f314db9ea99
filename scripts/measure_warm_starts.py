"""How to split the weights of a dense network into factors: `python scripts/measure_warm_starts.py [folder]`.

ResNet-9 is trained densely on a part of CIFAR-10, made redundant by each split, trained on with spred, pruned by
magnitude at several compressions and fine-tuned, all by the parts of the task `pruning`. Accuracy is on held-out
training images. The splits of w = u v differ in u^2 - v^2: 1 - w^2 (unit), that of a typical weight (off_balance), a
tenth of it (nearly_balanced), 0 (balanced), or that of two independent Gaussian factors of the product's variance
(random). Rows go to the folder (default: results/reference/warm_starts); the images are looked for in SPRED_DATA_DIR,
or in data. Minutes.
"""

import copy
import os
import sys
from pathlib import Path

import torch
from reference_rows import Measurement
from torch import Tensor, nn

from spred_bench.components.data.cifar import Source
from spred_bench.components.methods.spred import Method as Spred
from spred_bench.components.methods.weight_decay import Method as WeightDecay
from spred_bench.components.models.resnet9 import Model
from spred_bench.experiments.network_training import Recipe, accuracy
from spred_bench.experiments.pruning import masking, stages
from spred_bench.experiments.splits import to_device
from spred_bench.redundancy import factors_of

COMPRESSIONS, KAPPAS, SEEDS = (10, 30, 100), (1e-3, 3e-3), 2
N_TRAIN, EPOCHS = 6000, 4


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


def measure(setting: stages.Setting, dense: nn.Module, method: Warm, kappa: float, seed: int):
    """(compression or 1 for none, metric, accuracy on dev) of one training that begins at `dense`."""
    dev = setting.data.dev
    start = copy.deepcopy(dense)
    starting = stages.Setting(**{**vars(setting), "model": Given(start)})
    trained = stages.train(starting, method, kappa, seed, threshold=1e-6)
    yield 1, "accuracy", accuracy(trained.network, dev.images, dev.labels).item()
    for ratio in COMPRESSIONS:
        network, kept = masking.pruned(trained.network, method, compression=ratio)
        stages.train_sparse(setting, network, kept, seed, recipe=setting.fine_tuning)
        yield ratio, "fine_tuned_accuracy", accuracy(network, dev.images, dev.labels).item()


class Given:
    """A model component that gives the network it was given."""

    def __init__(self, network: nn.Module):
        self.network = network

    def build(self, shape, n_classes, generator) -> nn.Module:
        return self.network


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(os.environ.get("SPRED_DATA_DIR", "data"))
    source = Source(n_classes=10, n_train=N_TRAIN, data_dir=folder)
    data = to_device(source.load(0), 0.2, "cpu", standardise=True)
    how = {"autocast": "bfloat16", "channels_last": True}
    recipe, tuning = Recipe(EPOCHS, 64, 0.1, "sgd", "one_cycle", **how), Recipe(0.5, 64, 2e-3, "adam", "linear", **how)
    setting = stages.Setting(data, Model(width=8), recipe, tuning, crop_padding=4, flip=True)
    keys = ["model", "width", "n_train", "epochs", "init", "kappa", "l1_strength", "compression"]
    measurement = Measurement("warm_starts", *sys.argv[1:2] or [None], keys)
    common = {"dataset": "cifar10", "model": "resnet9", "width": 8, "n_train": len(data.train.labels)}
    common |= {"epochs": EPOCHS, "split": "dev"}
    for seed in range(SEEDS):
        dense = stages.train(setting, WeightDecay(), 2.5e-4, seed).network
        score = accuracy(dense, data.dev.images, data.dev.labels).item()
        measurement.add("dense_accuracy", score, **common, method="weight_decay", seed=seed, kappa=2.5e-4)
        for kappa in KAPPAS:
            for init in SPLITS:
                method = Warm(weight_decay=5e-4, lr_multiplier=5.0)
                method.split = init
                where = {**common, "method": "spred", "seed": seed, "init": init, "kappa": kappa}
                for ratio, metric, value in measure(setting, dense, method, kappa, seed):
                    measurement.add(metric, value, **where, l1_strength=2 * kappa, compression=ratio)
    measurement.write()


if __name__ == "__main__":
    main()
