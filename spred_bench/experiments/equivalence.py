"""The theorems on problems small enough to be solved by other means: minima, variations, smoothness.

The other means never see a product: scikit-learn's coordinate descent, SciPy's L-BFGS-B on w = p - q with p, q >= 0,
or a grid. Every function draws its problem from a seed and yields (metric, value, keys).
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.linear_model import Lasso, MultiTaskLasso
from torch import Tensor, nn

from spred_bench.redundancy import asymmetric_strengths, factors_of, parameter_groups, reparametrize

_N_SAMPLES, _N_FEATURES, _N_TARGETS = 60, 20, 3
_UNEQUAL = 4.0  # alpha / beta of Theorem 1
_ROUNDS = 5  # restarts of L-BFGS drop a curvature model that the flat zeros have spoilt
_ZERO = 1e-6
_VARIATIONS = tuple(10.0**exponent for exponent in (-8, -7, -6, -5, -4))


class _Weight(nn.Module):
    """A bare tensor of weights, redundant, and parameters without a penalty: what the theorems speak of."""

    def __init__(self, weight: Tensor, **options) -> None:
        super().__init__()
        self.w = nn.Parameter(weight)
        reparametrize(self, "w", **options)
        self.free = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def factors(self) -> tuple[Tensor, Tensor]:
        """u and v."""
        return tuple(factors_of(self)["w"])


def _regression(seed: int, n_targets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """X: (n, p), Y: (n, n_targets); a quarter of the features matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((_N_SAMPLES, _N_FEATURES))
    truth = rng.standard_normal((_N_FEATURES, n_targets)) * (np.arange(_N_FEATURES) < _N_FEATURES // 4)[:, None]
    return X, X @ truth + 0.5 * rng.standard_normal((_N_SAMPLES, n_targets))


def lasso(seed: int, kappa: float, unequal: bool = False) -> Iterator[tuple[str, float]]:
    """Theorem 1: 1/(2n) |y - Xw|^2 + 2 kappa |w|_1 against coordinate descent; alpha = beta, or unequal."""
    X, Y = _regression(seed)
    reference = Lasso(2 * kappa, fit_intercept=False, tol=1e-13, max_iter=100_000).fit(X, Y[:, 0]).coef_
    alpha, beta = asymmetric_strengths(kappa, _UNEQUAL) if unequal else (kappa, kappa)
    X, y = torch.as_tensor(X), torch.as_tensor(Y[:, 0])
    model = _Weight(_start(seed, _N_FEATURES))

    def loss(w, free):
        return (y - X @ w).square().mean() / 2

    yield from _compare(model, loss, (alpha, beta), torch.as_tensor(reference), 2 * kappa)


def logistic(seed: int, kappa: float) -> Iterator[tuple[str, float]]:
    """Theorem 1 with a parameter that carries no penalty (V_d): logistic regression with an intercept."""
    X, Y = _regression(seed)
    X, signs = torch.as_tensor(X), torch.as_tensor(np.sign(Y[:, 0] - 0.5))
    p = _N_FEATURES

    def loss(w, free):
        return nn.functional.softplus(-signs * (X @ w + free)).mean()

    def split(z):
        z = torch.tensor(z, requires_grad=True)
        value = loss(z[:p] - z[p : 2 * p], z[2 * p :]) + 2 * kappa * z[: 2 * p].sum()
        value.backward()
        return value.item(), z.grad.numpy()

    bounds = [(0, None)] * (2 * p) + [(None, None)]
    options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 20_000, "maxfun": 100_000}
    found = minimize(split, np.full(2 * p + 1, 0.1), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    reference = torch.as_tensor(found.x[:p] - found.x[p : 2 * p])
    model = _Weight(_start(seed, p))
    yield from _compare(model, loss, (kappa, kappa), reference, 2 * kappa, torch.as_tensor(found.x[2 * p :]))


def group_lasso(seed: int, kappa: float) -> Iterator[tuple[str, float]]:
    """Theorem 4: one scalar per row of W (p, m) against coordinate descent on 2 kappa sum_j |W_j|_2."""
    X, Y = _regression(seed, _N_TARGETS)
    reference = MultiTaskLasso(2 * kappa, fit_intercept=False, tol=1e-13, max_iter=100_000).fit(X, Y).coef_.T
    X, Y = torch.as_tensor(X), torch.as_tensor(Y)
    model = _Weight(_start(seed, _N_FEATURES, _N_TARGETS), group=1)

    def loss(w, free):
        return (Y - X @ w).square().sum() / (2 * len(X))

    yield from _compare(model, loss, (kappa, kappa), torch.as_tensor(reference.copy()), 2 * kappa)


def _start(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _norms(w: Tensor) -> Tensor:
    return w.abs() if w.ndim == 1 else w.norm(dim=1)


def _compare(model, loss: Callable, strengths, reference: Tensor, l1_strength: float, free=None):
    """Minimise by L-BFGS on the factors, and set the minimum against the reference's."""
    (alpha, beta), (u, v) = strengths, model.factors()

    def objective():
        return loss(model.w, model.free) + alpha * u.square().sum() + beta * v.square().sum()

    for _ in range(_ROUNDS):
        optimizer = torch.optim.LBFGS(
            model.parameters(), max_iter=500, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
        )

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            value = objective()
            value.backward()
            return value

        optimizer.step(closure)
    with torch.no_grad():
        free = torch.zeros(1, dtype=torch.float64) if free is None else free
        theirs = (loss(reference, free) + l1_strength * _norms(reference).sum()).item()
        at_zero = loss(torch.zeros_like(reference), free).item()
        zeros = (_norms(model.w) <= _ZERO) == (_norms(reference) <= _ZERO)
        sizes = alpha**0.5 * _norms(u).flatten() - beta**0.5 * _norms(v)
        yield "objective_difference", abs(objective().item() - theirs) / at_zero
        yield "largest_difference", (model.w - reference).abs().max().item()
        yield "support_agreement", zeros.double().mean().item()
        yield "imbalance", sizes.abs().max().item()


def local_minima(seed: int, kappa: float) -> Iterator[tuple[str, float]]:
    """Theorem 2 in two dimensions: where descent on the factors ends, and where it stays, against a grid.

    L(w) = sum (w_i^2 - 1)^2 / 2 + tilt . w + coupling w_1 w_2; with the kinks of the penalty, about nine minima.
    """
    rng = np.random.default_rng(seed)
    tilt, coupling = torch.as_tensor(rng.uniform(-0.12, 0.12, 2)), rng.uniform(-0.15, 0.15)

    def loss(w):
        return (0.5 * (w.square() - 1).square() + w * tilt).sum(-1) + coupling * w.prod(-1)

    axis = torch.linspace(-1.6, 1.6, 641, dtype=torch.float64)  # holds 0
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    values = loss(grid) + 2 * kappa * grid.abs().sum(-1)
    least_near = -nn.functional.max_pool2d(-values[None], 3, stride=1, padding=1)[0]
    minima = grid[(values == least_near) & (grid.abs().amax(-1) < axis[-1])]
    near = 2.0 * (axis[1] - axis[0]).item()

    ends, imbalance = _descend(loss, torch.as_tensor(rng.uniform(-1.5, 1.5, (200, 2))), kappa)
    nudged = minima + torch.as_tensor(rng.uniform(-0.01, 0.01, minima.shape))
    stayed, _ = _descend(loss, nudged, kappa, init="balanced")
    yield "n_minima", len(minima)
    yield "ends_at_minimum", (torch.cdist(ends, minima).amin(1) <= near).double().mean().item()
    yield "stays_at_minimum", ((stayed - minima).norm(dim=1) <= near).double().mean().item()
    yield "imbalance", imbalance


def _descend(loss: Callable, starts: Tensor, kappa: float, init: str = "off_balance") -> tuple[Tensor, float]:
    """Gradient descent on the factors from every row of `starts` at once; the ends and the largest imbalance."""
    model = _Weight(starts.clone(), init=init)
    optimizer = torch.optim.SGD(parameter_groups(model, kappa=kappa, weight_decay=0.0), lr=0.05)
    for _ in range(1500):
        optimizer.zero_grad()
        loss(model.w).sum().backward()
        optimizer.step()
    u, v = model.factors()
    return model.w.detach(), (u.abs() - v.abs()).abs().max().item()


def variations(seed: int, kappa: float) -> Iterator[tuple[str, float, dict]]:
    """Theorem 3: the change of balanced factors that follows a change of w, away from zero and at zero.

    Also whether the redundant loss curves down at zero exactly where zero is no minimum, and how far the slope of
    either loss jumps across zero, |L'(h) - L'(-h)|: what smooth means in Fig. 1.
    """
    rng = np.random.default_rng(seed)
    slope = rng.uniform(0.2, 4) * 2 * kappa

    def l1(w):
        return slope * w + w.square() + 2 * kappa * w.abs()

    def redundant(u, v):
        return slope * u * v + (u * v).square() + kappa * (u.square() + v.square())

    for name, w in (("weight", rng.uniform(0.2, 2)), ("zero", 0.0)):
        (before, _) = _balanced(w)
        for change in _VARIATIONS:
            u, v = _balanced(w + change)
            keys = {"at": name, "variation": change}
            yield "factor_change", (u - before).abs().item(), keys
            yield "objective_difference", (redundant(u, v) - l1(u * v)).abs().item(), keys
    hessian = torch.autograd.functional.hessian(redundant, (torch.zeros((), dtype=torch.float64),) * 2)
    least = torch.linalg.eigvalsh(torch.stack([torch.stack(row) for row in hessian]))[0].item()
    yield "escape_agreement", float((least < 0) == (slope > 2 * kappa)), {"at": "zero"}
    for h in _VARIATIONS:
        for name, loss, n in (("l1", l1, 1), ("redundant", redundant, 2)):
            jump = (_gradient(loss, n, h) - _gradient(loss, n, -h)).norm().item()
            yield "slope_jump", jump, {"at": name, "variation": h}


def _balanced(w: float) -> tuple[Tensor, Tensor]:
    u, v = _Weight(torch.tensor([w], dtype=torch.float64), init="balanced").factors()
    return u.detach()[0], v.detach()[0]


def _gradient(loss: Callable, n: int, x: float) -> Tensor:
    """Gradient of a loss of n numbers where all are x."""
    at = tuple(torch.tensor(x, dtype=torch.float64, requires_grad=True) for _ in range(n))
    return torch.stack(torch.autograd.grad(loss(*at), at))
