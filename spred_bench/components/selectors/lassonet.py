"""LassoNet (Lemhadri, Ruan, Abraham & Tibshirani 2021), by the package lassonet: a residual network whose input layer
obeys a linear skip connection, by proximal gradient descent on a path of increasing penalties. The neural rival.
"""

import warnings

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.peers import required
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.lasso.second_order.feature_path import FeaturePath


@component
class Selector(BaseSelector):
    """Penalties: `n_points` from `smallest_ratio` to `largest_ratio` times the smallest at which a linear model selects
    nothing. The package's own path starts far below and takes steps of 2 %: hundreds of points, most of them dense.

    hidden: nodes of the hidden layer.  hierarchy: M.  epochs: at most, of the dense network; of each penalty.
    """

    n_points: PositiveInt = 12
    smallest_ratio: PositiveFloat = 20.0
    largest_ratio: PositiveFloat = 2000.0
    hidden: PositiveInt = 100
    hierarchy: PositiveFloat = 10.0
    dense_epochs: PositiveInt = 1000
    epochs: PositiveInt = 100

    def __post_init__(self):
        if self.smallest_ratio > self.largest_ratio:
            raise ValueError(f"smallest_ratio={self.smallest_ratio:g} is above largest_ratio={self.largest_ratio:g}")

    def check(self) -> None:
        """Skip where lassonet is not installed."""
        required("lassonet", "'spred-bench[genes]'")

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per penalty, up to the first that selects nothing; stopped early by the loss on the dev part."""
        unit = 2 * FeaturePath(split.X_train, split.y_train, n_classes).kappa_max
        ratios = np.geomspace(self.smallest_ratio, self.largest_ratio, self.n_points)
        model = required("lassonet", "'spred-bench[genes]'").LassoNetClassifier(
            hidden_dims=(self.hidden,),
            M=self.hierarchy,
            lambda_seq=(unit * ratios).tolist(),
            n_iters=(self.dense_epochs, self.epochs),
            torch_seed=seed,
            device=device,
            verbose=0,
        )
        points = []

        def keep(model, history) -> None:
            if history[-1].lambda_ > 0:
                settings = {"lambda": float(history[-1].lambda_)}
                points.append(scored(settings, *_compact(model.model), split))

        with warnings.catch_warnings(), torch.random.fork_rng([]):
            warnings.simplefilter("ignore")  # that features disappear at the start of the path
            model.path(split.X_train, split.y_train, X_val=split.X_dev, y_val=split.y_dev, callback=keep)
        return points


@torch.no_grad()
def _compact(network):
    """(features, the largest skip weights first; logits) of a LassoNet as it is now, unused inputs left out."""
    norms = network.skip.weight.norm(dim=0)
    features = torch.argsort(-norms, stable=True)[: int(torch.count_nonzero(norms))]
    skip, first = network.skip.weight[:, features].cpu().clone(), network.layers[0].weight[:, features].cpu().clone()
    first_bias = network.layers[0].bias.cpu().clone()
    out, out_bias = (tensor.cpu().clone() for tensor in network.layers[1].parameters())
    features = features.cpu().numpy()

    def decide(X: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(X[:, features]))
        hidden = torch.relu(x @ first.T + first_bias)
        return (x @ skip.T + hidden @ out.T + out_bias).numpy()

    return features, decide
