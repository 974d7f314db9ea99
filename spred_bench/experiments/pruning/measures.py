"""What is recorded of a plain network: exact zeros, accuracies, the distribution of weights."""

import math
from collections.abc import Iterator, Sequence

from torch import nn

from spred_bench.experiments.decades import counts_by_decade
from spred_bench.experiments.network_training import accuracy
from spred_bench.experiments.pruning.stages import Setting
from spred_bench.networks import sparsity

_DECADES = (-6.25, 1.0)  # the first bin, up to 1e-6, takes everything smaller


def accuracies(setting: Setting, network: nn.Module, metric: str, *splits: str) -> Iterator[dict]:
    """Rows with the share of right answers on each of `splits`."""
    for name in splits:
        split = getattr(setting.data, name)
        value = accuracy(network, split.images, split.labels, setting.recipe.autocast).item()
        yield {"metric": metric, "value": value, "split": name}


def zeros(network: nn.Module) -> Iterator[dict]:
    """Rows with the exact zeros: over all prunable weights, over all parameters, layer by layer; and empty layers."""
    weights = sparsity.weights_of(network)
    parameters = sparsity.weights_of(network, with_vectors=True)
    empty = [name for name, weight in weights.items() if not weight.any()]
    which = f" in {', '.join(empty)}" if len(empty) < len(weights) else ""
    note = f"no weight left{which}" if empty else ""
    yield {"metric": "weight_sparsity", "value": sparsity.weight_sparsity(weights.values(), 0.0), "note": note}
    for metric, counted in (("compression_ratio", weights), ("parameter_compression_ratio", parameters)):
        ratio = sparsity.compression_ratio(counted.values(), 0.0)
        yield {"metric": metric, "value": ratio if math.isfinite(ratio) else None, "note": note}
    yield {"metric": "n_empty_layers", "value": len(empty), "note": note}
    for name, weight in weights.items():
        yield {"metric": "layer_sparsity", "value": sparsity.weight_sparsity([weight], 0.0), "layer": name}


def histograms(network: nn.Module, n_layers: int, thresholds: Sequence[float]) -> Iterator[dict]:
    """Rows of the `n_layers` largest convolutions: counts of |w| per quarter decade, shares up to the thresholds.

    `threshold` is the lower edge of a bin, or what counts as zero.
    """
    weights = {name: weight for name, weight in sparsity.weights_of(network).items() if weight.ndim == 4}
    for name in sorted(weights, key=lambda name: weights[name].numel(), reverse=True)[:n_layers]:
        for edge, count in counts_by_decade(weights[name].abs(), *_DECADES):
            yield {"metric": "weight_count", "value": count, "threshold": edge, "layer": name}
        for threshold in thresholds:
            value = sparsity.weight_sparsity([weights[name]], threshold)
            yield {"metric": "zero_peak", "value": value, "threshold": threshold, "layer": name}
