"""Print the measurements of docs/method.md: how the start of the factors decides a training. Minutes."""

import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import Lasso
from torch import nn
from torch.nn.functional import cross_entropy

from spred_bench.redundancy import STARTS, kappa_from_lasso_alpha, merge, parameter_groups, reparametrize

# kappa, epochs, share of the steps over which kappa rises
SETTINGS = [(2e-4, 40, 0.0), (1e-3, 40, 0.0), (1e-3, 150, 0.0), (3e-3, 40, 0.0), (3e-3, 40, 0.5)]
BATCH, TRAINING, SEEDS = 120, 1200, 3


def digits():
    """scikit-learn's digits, shuffled: X (n, 64), centred by its training part, and y (n,)."""
    X, y = (torch.as_tensor(array) for array in load_digits(return_X_y=True))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    X = X.float()[order] / 16
    return X - X[:TRAINING].mean(0), y[order]


def train(init: str, kappa: float, epochs: int, ramp: float, seed: int) -> list[float]:
    """Return the training objective and on the others the accuracy with 1 % of the weights."""
    X, y = digits()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    reparametrize(model, init=init)
    groups = parameter_groups(model, kappa=kappa, lr=0.1, factor_lr_multiplier=5)
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    steps = epochs * TRAINING // BATCH
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rates, total_steps=steps)
    for step in range(steps):
        if step % (TRAINING // BATCH) == 0:
            order = torch.randperm(TRAINING).split(BATCH)
        batch = order[step % (TRAINING // BATCH)]
        optimizer.param_groups[0]["weight_decay"] = 2 * kappa * (min(1, step / (ramp * steps)) if ramp else 1)
        optimizer.zero_grad()
        cross_entropy(model(X[batch]), y[batch]).backward()
        optimizer.step()
        schedule.step()
    merge(model)
    weights = torch.cat([model[i].weight.detach().abs().flatten() for i in (0, 2, 4)])
    loss = cross_entropy(model(X[:TRAINING]), y[:TRAINING]).item()
    cut = weights.quantile(0.99)
    for i in (0, 2, 4):
        model[i].weight.data[model[i].weight.abs() <= cut] = 0
    right = model(X[TRAINING:]).argmax(1) == y[TRAINING:]
    return [loss + 2 * kappa * weights.sum().item(), 100 * right.double().mean().item()]


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


if __name__ == "__main__":
    torch.set_num_threads(1)
    for init in STARTS:
        for kind in (torch.optim.SGD, torch.optim.Adam):
            print("lasso", init, kind.__name__, *lasso_steps(init, kind), flush=True)
    for setting in SETTINGS:
        for init in STARTS:
            rows = torch.tensor([train(init, *setting, seed) for seed in range(SEEDS)]).mean(0)
            print("digits", *setting, init, f"objective {rows[0]:.3f} accuracy {rows[1]:.1f}", flush=True)
