"""Measure how the start of the factors decides a training: `python scripts/measure_starts.py [folder]`.

The numbers of docs/method.md. Rows go to the folder (default: results/reference/factor_starts), means over seeds to the
terminal. `plain` is the same network without redundancy. Minutes.
"""

import statistics
import sys
import warnings

import torch
from reference_rows import Measurement
from sklearn.datasets import load_digits
from sklearn.linear_model import Lasso
from torch import nn
from torch.nn.functional import cross_entropy

from spred_bench.redundancy import (
    STARTS,
    decay_budget,
    kappa_from_lasso_alpha,
    merge,
    parameter_groups,
    reparametrize,
)

# kappa, epochs, share of the steps over which kappa rises
SETTINGS = [(2e-4, 40, 0.0), (1e-3, 40, 0.0), (1e-3, 150, 0.0), (3e-3, 40, 0.0), (3e-3, 40, 0.5)]
BATCH, TRAINING, SEEDS = 120, 1200, 3
RATE, MULTIPLIER, MOMENTUM = 0.1, 5, 0.9
PLAIN = "plain"


def digits():
    """scikit-learn's digits, shuffled: X (n, 64), centred by its training part, and y (n,)."""
    X, y = (torch.as_tensor(array) for array in load_digits(return_X_y=True))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    X = X.float()[order] / 16
    return X - X[:TRAINING].mean(0), y[order]


def train(init: str, kappa: float, epochs: int, ramp: float, seed: int) -> dict[str, float]:
    """Objective on the training images; accuracy on the others with 1 % of the weights; decay budget of the factors."""
    X, y = digits()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    if init == PLAIN:
        weights = [p for p in model.parameters() if p.ndim == 2]
        biases = [p for p in model.parameters() if p.ndim == 1]
        groups = [{"params": weights, "lr": RATE}, {"params": biases, "lr": RATE}]
    else:
        reparametrize(model, init=init)
        groups = parameter_groups(model, kappa=kappa, lr=RATE, factor_lr_multiplier=MULTIPLIER)
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM)
    steps = epochs * TRAINING // BATCH
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rates, total_steps=steps)
    rates = []  # of the factors, each by its share of the final decay
    for step in range(steps):
        if step % (TRAINING // BATCH) == 0:
            order = torch.randperm(TRAINING).split(BATCH)
        batch = order[step % (TRAINING // BATCH)]
        share = min(1, step / (ramp * steps)) if ramp else 1
        optimizer.param_groups[0]["weight_decay"] = 2 * kappa * share
        rates.append(optimizer.param_groups[0]["lr"] * share)
        optimizer.zero_grad()
        cross_entropy(model(X[batch]), y[batch]).backward()
        optimizer.step()
        schedule.step()
    if init == PLAIN:
        return judge(model, X, y, kappa)
    merge(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some budgets are too small is what the table shows
        budget = decay_budget(2 * kappa, rates, momentum=MOMENTUM)
    return {**judge(model, X, y, kappa), "decay_budget": budget}


@torch.no_grad()
def judge(model, X, y, kappa: float) -> dict[str, float]:
    weights = torch.cat([model[i].weight.abs().flatten() for i in (0, 2, 4)])
    loss = cross_entropy(model(X[:TRAINING]), y[:TRAINING]).item()
    cut = weights.quantile(0.99)
    for i in (0, 2, 4):
        model[i].weight[model[i].weight.abs() <= cut] = 0
    right = model(X[TRAINING:]).argmax(1) == y[TRAINING:]
    return {"objective": loss + 2 * kappa * weights.sum().item(), "accuracy": right.double().mean().item()}


def lasso_steps(init: str, kind: type) -> tuple[int | None, float]:
    """Return the steps to within 0.1 % of the optimum from wrong-signed starts, and the final ratio."""
    torch.manual_seed(0)
    X, truth = torch.randn(200, 100).double(), torch.randn(100).double() * (torch.arange(100) < 20)
    y, alpha = X @ truth + 0.1 * torch.randn(200).double(), 0.05

    def objective(w):
        return ((y - X @ w).square().mean() / 2 + alpha * w.abs().sum()).item()

    best = objective(torch.as_tensor(Lasso(alpha, fit_intercept=False, tol=1e-10).fit(X, y).coef_))
    model = nn.Module()
    model.w = nn.Parameter(-0.3 * torch.where(truth != 0, truth.sign(), torch.randn(100).sign()))
    reparametrize(model, "w", init=init)
    optimizer = kind(parameter_groups(model, kappa=kappa_from_lasso_alpha(alpha)), lr=0.05)
    first = None
    for step in range(3000):
        optimizer.zero_grad()
        ((y - X @ model.w).square().mean() / 2).backward()
        optimizer.step()
        if first is None and objective(model.w.detach()) < 1.001 * best:
            first = step + 1
    return first, objective(model.w.detach()) / best


def main() -> None:
    torch.set_num_threads(1)
    measurement = Measurement(
        "factor_starts", *sys.argv[1:2] or [None], ["init", "optimizer", "kappa", "l1_strength", "epochs", "ramp"]
    )
    for init in STARTS:
        for kind in (torch.optim.SGD, torch.optim.Adam):
            kappa = kappa_from_lasso_alpha(0.05)
            first, ratio = lasso_steps(init, kind)
            keys = {"dataset": "lasso", "init": init, "optimizer": kind.__name__, "kappa": kappa, "l1_strength": 0.05}
            measurement.add("steps_to_0.1_percent", first, status="done" if first else "max_steps", **keys)
            measurement.add("final_objective_ratio", ratio, **keys)
    means = []
    for kappa, epochs, ramp in SETTINGS:
        for init in (*STARTS, PLAIN):
            keys = {"dataset": "digits", "init": init, "optimizer": "SGD", "kappa": kappa, "l1_strength": 2 * kappa}
            found = [train(init, kappa, epochs, ramp, seed) for seed in range(SEEDS)]
            for seed, values in enumerate(found):
                for metric, value in values.items():
                    measurement.add(metric, value, **keys, epochs=epochs, ramp=ramp, seed=seed)
            mean = {metric: statistics.fmean(values[metric] for values in found) for metric in found[0]}
            shown = " ".join(f"{metric} {value:.3f}" for metric, value in mean.items())
            means.append(f"kappa {kappa:g} epochs {epochs} ramp {ramp:g} {init:12} {shown}")
    measurement.write()
    print("", "means over seeds", *means, sep="\n")


if __name__ == "__main__":
    main()
