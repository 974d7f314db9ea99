"""Networks of one hidden layer: train several kappas, count the dead nodes, remove them, measure what is left."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spred_bench.experiments.decades import counts_by_decade
from spred_bench.experiments.network_training import Recipe, Trained, accuracy, fit
from spred_bench.experiments.splits import Data
from spred_bench.networks import sparsity
from spred_bench.networks.latency import latencies
from spred_bench.training.callbacks import KeepBest, every, every_epoch, recorder
from spred_bench.training.checkpoint import Checkpoints

_N_CURVE_POINTS = 10
_NORM_DECADES = (-10.0, 2.0)
_LATENCY_ROUNDS = 200


@dataclass(frozen=True)
class Criteria:
    """What counts as dead or zero; see sparsity.py."""

    node_threshold: float
    node_ratio: float
    weight_thresholds: Sequence[float]
    strength_floor: float = 1e-6  # moves no logit by more than a millionth of the norm of x


@dataclass(frozen=True)
class TrainedAtKappa(Trained):
    """One of the networks of several kappas. together: how many of them trained as one."""

    kappa: float
    together: int


def train_all(
    model,
    method,
    kappas: Sequence[float],
    data: Data,
    recipe: Recipe,
    seed: int,
    criteria: Criteria,
    threshold: float,
    checkpoints: Callable[[str], Checkpoints | None] = lambda name: None,
    patience: int | None = None,
) -> list[TrainedAtKappa]:
    """Train one network per kappa from the same start, stacked if there are several; finalize at `threshold`.

    Several kappas need a method that `stacks`.

    A stack in which one network diverges goes back as a whole: its networks are then trained one by one.
    `checkpoints` gives those of a training by its name.  patience: epochs without a better dev accuracy after which one
    network stops, at its best; None trains to the end and takes the end.
    """
    device = data.train.images.device
    generator = torch.Generator().manual_seed(seed)
    first = model.build(data.shape, data.n_classes, generator)
    network = (first if len(kappas) == 1 else model.stack([first] * len(kappas))).to(device)
    method.prepare(network, generator)
    strength = kappas[0] if len(kappas) == 1 else torch.tensor(kappas, device=device)

    def progress(run) -> dict:
        dead = [d.float().mean() for d in _dead(run.model, criteria)]
        scores = accuracy(run.model, data.dev.images, data.dev.labels)
        return {"node_sparsity": torch.stack(dead), "accuracy": scores.reshape(-1)}

    steps = -(-len(data.train.labels) // recipe.batch_size) * recipe.epochs
    callbacks = [every(max(round(steps / _N_CURVE_POINTS), 1), recorder(progress))]
    callbacks += method.callbacks()
    best = KeepBest(lambda run: accuracy(run.model, data.dev.images, data.dev.labels), patience)
    if patience is not None:
        callbacks.append(every_epoch(best))
    kept = checkpoints("together" if len(kappas) > 1 else f"kappa={kappas[0]}")
    images, labels = data.train.images, data.train.labels
    run = fit(network, method, strength, images, labels, recipe, seed=seed, callbacks=callbacks, checkpoints=kept)
    if run.status == "diverged" and len(kappas) > 1:
        alone = [train_all(model, method, [k], data, recipe, seed, criteria, threshold, checkpoints) for k in kappas]
        return [trained for [trained] in alone]
    step = run.step
    if patience is not None and run.status != "diverged":
        best.restore(network)
        step = best.best_step
    network = method.finalize(network, threshold)
    singles = [network] if len(kappas) == 1 else network.unstack()
    curves = [
        [{**row, "node_sparsity": row["node_sparsity"][k], "accuracy": row["accuracy"][k]} for row in run.rows]
        for k in range(len(kappas))
    ]
    return [
        TrainedAtKappa(single, run.status, step, run.elapsed_s, curve, kappa, len(kappas))
        for single, kappa, curve in zip(singles, kappas, curves, strict=True)
    ]


def measure(trained: TrainedAtKappa, data: Data, criteria: Criteria) -> Iterator[dict]:
    """Rows of one network: its curve, its sparsities, its accuracies with and without the dead nodes, their cost."""
    for point in trained.curve:
        at = {"step": point["step"], "time_s": point["time_s"]}
        yield {"metric": "curve_node_sparsity", "value": point["node_sparsity"], **at}
        yield {"metric": "curve_accuracy", "value": point["accuracy"], "split": "dev", **at}
    end = {"step": trained.step, "time_s": trained.train_s}
    for row in _measure_end(trained, data, criteria):
        yield {**end, **row}


def _measure_end(trained: TrainedAtKappa, data: Data, criteria: Criteria) -> Iterator[dict]:
    network = trained.network
    [dead] = _dead(network, criteria)
    incoming, outgoing = network.hidden.weight.detach(), network.output.weight.detach()
    relative = sparsity.dead_nodes_relative(incoming, outgoing, criteria.node_ratio, criteria.strength_floor)
    silenced = silence(network, dead)
    small = remove_silent(silenced)
    yield {"metric": "node_sparsity", "value": _mean(dead), "threshold": criteria.node_threshold}
    yield {"metric": "relative_node_sparsity", "value": _mean(relative), "threshold": criteria.node_ratio}
    yield {"metric": "n_nodes", "value": len(small.hidden.weight)}
    weights = list(sparsity.weights_of(network).values())
    for threshold in criteria.weight_thresholds:
        value = sparsity.weight_sparsity(weights, threshold)
        yield {"metric": "weight_sparsity", "value": value, "threshold": threshold}
    with torch.no_grad():
        rank = sparsity.effective_rank(small.hidden_values(data.dev.images))
    yield {"metric": "effective_rank", "value": rank, "split": "dev"}
    for name, split in (("train", data.train), ("dev", data.dev), ("test", data.test)):
        for metric, judged in (("accuracy", network), ("removed_accuracy", small)):
            value = accuracy(judged, split.images, split.labels).item()
            yield {"metric": metric, "value": value, "split": name}
    with torch.no_grad():
        difference = (silenced(data.dev.images) - small(data.dev.images)).abs().max().item()
    yield {"metric": "removed_difference", "value": difference, "split": "dev"}
    both = {"": network, "removed_": small}
    seconds = latencies(both, data.dev.images[:1], _LATENCY_ROUNDS)
    for prefix, judged in both.items():
        yield {"metric": f"{prefix}n_parameters", "value": sparsity.n_parameters(judged)}
        yield {"metric": f"{prefix}latency_s", "value": seconds[prefix]}
    for edge, count in counts_by_decade(outgoing.norm(dim=0), *_NORM_DECADES):
        yield {"metric": "outgoing_norm_count", "value": count, "threshold": edge}
    yield {"metric": "train_s", "value": trained.train_s}
    yield {"metric": "trained_together", "value": trained.together}


@torch.no_grad()
def silence(network: nn.Module, dead: Tensor) -> nn.Module:
    """A copy in which the outgoing weights of the `dead` nodes, a mask (hidden,), are zero."""
    silenced = copy.deepcopy(network)
    silenced.output.weight.mul_(~dead)
    return silenced


def remove_silent(network: nn.Module) -> nn.Module:
    """The smaller network of the nodes that have both incoming and outgoing weights; its outputs are the same."""
    incoming, outgoing = network.hidden.weight.detach(), network.output.weight.detach()
    return network.keep((incoming != 0).any(1) & (outgoing != 0).any(0))


def _dead(network: nn.Module, criteria: Criteria) -> list[Tensor]:
    """Masks of the dead nodes of one network, or of each in a stack."""
    weight = network.output.weight.detach()
    return [sparsity.dead_nodes(w, criteria.node_threshold) for w in (weight if weight.ndim == 3 else [weight])]


def _mean(mask: Tensor) -> float:
    return mask.double().mean().item()
