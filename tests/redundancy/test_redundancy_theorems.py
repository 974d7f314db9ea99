"""The paper's theorems as tests, on random problems: same minima, same local minima, groups, depth, signs."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import Lasso
from torch import nn

from spred_bench.redundancy import (
    asymmetric_strengths,
    effective_weights,
    factors_of,
    imbalance,
    kappa_from_lasso_alpha,
    parameter_groups,
    penalty,
    reparametrize,
    sign_locked,
)

torch.set_num_threads(1)  # small problems: more threads only wait for one another


class Weight(nn.Module):
    """A bare tensor of weights: what the theorems speak of."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(weight.double())


def redundant(weight, **options) -> Weight:
    model = Weight(torch.as_tensor(weight))
    reparametrize(model, "w", **options)
    return model


def lasso_problem(seed: int, n: int = 40, p: int = 15):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, p, generator=generator, dtype=torch.float64)
    truth = torch.randn(p, generator=generator, dtype=torch.float64) * (torch.arange(p) < 5)
    return X, X @ truth + 0.3 * torch.randn(n, generator=generator, dtype=torch.float64)


def half_mean(X, y, w):
    return (y - X @ w).square().mean() / 2


def minimise(model: nn.Module, objective, rounds: int = 5) -> float:
    for _ in range(rounds):  # restarts drop a curvature model that the flat zeros have spoilt
        optimizer = torch.optim.LBFGS(
            model.parameters(),
            max_iter=500,
            tolerance_grad=1e-13,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def closure(optimizer=optimizer):
            optimizer.zero_grad()
            value = objective()
            value.backward()
            return value

        optimizer.step(closure)
    return objective().item()


def descend(model: nn.Module, objective, kappa: float, lr: float, steps: int, kind=torch.optim.SGD) -> None:
    optimizer = kind(parameter_groups(model, kappa=kappa), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        objective().backward()
        optimizer.step()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("alpha", [0.05, 0.4])
def test_global_minimum_is_the_lasso_s(seed, alpha):
    """Theorem 1: same objective and solution as scikit-learn, and |u| = |v| at the minimum."""
    X, y = lasso_problem(seed)
    reference = torch.as_tensor(Lasso(alpha, fit_intercept=False, tol=1e-12).fit(X.numpy(), y.numpy()).coef_)
    kappa = kappa_from_lasso_alpha(alpha)
    model = redundant(torch.randn(15, generator=torch.Generator().manual_seed(seed)))

    value = minimise(model, lambda: half_mean(X, y, model.w) + penalty(model, kappa))

    assert value == pytest.approx((half_mean(X, y, reference) + alpha * reference.abs().sum()).item(), abs=1e-9)
    torch.testing.assert_close(effective_weights(model)["w"], reference, atol=1e-5, rtol=0)
    assert ((reference == 0) == (model.w.abs() < 1e-6)).all()
    assert imbalance(model)["w"] < 1e-4


@pytest.mark.parametrize("ratio", [0.2, 3.0])
def test_asymmetric_strengths_give_the_same_minimum(ratio):
    """Theorem 1 with alpha beta = kappa^2: same minimum, now sqrt(alpha)|u| = sqrt(beta)|v|."""
    X, y = lasso_problem(7)
    strength = 0.2
    reference = torch.as_tensor(Lasso(strength, fit_intercept=False, tol=1e-12).fit(X.numpy(), y.numpy()).coef_)
    alpha, beta = asymmetric_strengths(strength / 2, ratio)
    model = redundant(torch.randn(15, generator=torch.Generator().manual_seed(0)))
    u, v = factors_of(model)["w"]

    minimise(model, lambda: half_mean(X, y, model.w) + alpha * u.square().sum() + beta * v.square().sum())

    torch.testing.assert_close(model.w.detach(), reference, atol=1e-5, rtol=0)
    torch.testing.assert_close(alpha**0.5 * u.abs(), beta**0.5 * v.abs(), atol=1e-4, rtol=0)


def wells(w):
    """Two tilted double wells, coupled: with the L1 kink at zero a landscape of nine local minima."""
    return (0.5 * (w.square() - 1).square() + w * w.new_tensor([0.1, -0.07])).sum(-1) + 0.1 * w.prod(-1)


@pytest.mark.slow
@pytest.mark.parametrize("init", ["off_balance", "balanced"])
def test_local_minima_are_the_penalised_problem_s(init):
    """Theorem 2: descent ends in local minima of L + 2 kappa |w|_1; from every basin, all are found."""
    kappa = 0.15
    axis = torch.linspace(-1.6, 1.6, 641, dtype=torch.float64)  # 0 is on the grid
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    values = wells(grid) + 2 * kappa * grid.abs().sum(-1)
    lowest_near = -nn.functional.max_pool2d(-values[None], 3, stride=1, padding=1)[0]
    inside = torch.zeros_like(values, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    expected = grid[(values == lowest_near) & inside]
    assert len(expected) == 9

    starts = torch.cartesian_prod(*[torch.tensor([-1.2, -0.6, 0.02, 0.7, 1.3])] * 2)
    model = redundant(starts, init=init)
    descend(model, lambda: wells(model.w).sum(), kappa, lr=0.02, steps=3000)

    found = model.w.detach()
    nearest = torch.cdist(found, expected).min(1)
    assert nearest.values.max() < 0.008  # within the grid's resolution of a minimum found without us
    if init == "balanced":  # off balance the penalty is weaker at first, and narrow basins can be left
        assert set(nearest.indices.tolist()) == set(range(9))
    assert imbalance(model)["w"] < 1e-6
    for point in found:  # and each is a minimum in (u, v) as well: no direction of negative curvature
        u = point.abs().sqrt()
        hessian = torch.autograd.functional.hessian(
            lambda z: wells(z[:2] * z[2:]) + kappa * z.square().sum(), torch.cat([u, point.sign() * u])
        )
        assert torch.linalg.eigvalsh(hessian).min() > -1e-3


def test_one_scalar_per_group_gives_the_group_lasso():
    """Theorem 4: one scalar a group; same solution as an independent proximal-gradient solver."""
    X, y = lasso_problem(3, p=12)
    strength = 0.35
    w = torch.zeros(4, 3, dtype=torch.float64)
    step = 1 / torch.linalg.matrix_norm(X.T @ X / len(y), 2)
    for _ in range(5000):
        w = w + step * (X.T @ (y - X @ w.flatten()) / len(y)).view(4, 3)
        norms = w.norm(dim=1, keepdim=True)
        w = w * (1 - step * strength / norms.clamp_min(1e-300)).clamp_min(0)
    assert 0 < (w.norm(dim=1) == 0).sum() < 4

    model = redundant(torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), group=1)
    minimise(model, lambda: half_mean(X, y, model.w.flatten()) + penalty(model, strength / 2))

    scalar, full = factors_of(model)["w"]
    assert scalar.shape == (4, 1) and full.shape == (4, 3)
    torch.testing.assert_close(model.w.detach(), w, atol=1e-5, rtol=0)
    torch.testing.assert_close(scalar.abs(), full.norm(dim=1, keepdim=True), atol=1e-4, rtol=0)


@pytest.mark.parametrize("gradient", [0.3, 0.99, 1.01, -4.0])
def test_zero_is_escaped_at_second_order(gradient):
    """At u = v = 0 the least curvature is 2 kappa - |L'(0)|: negative exactly where zero is no L1 minimum."""
    kappa = 0.5
    model = redundant(torch.zeros(1), init="balanced")
    u, v = factors_of(model)["w"]
    value = (gradient * model.w + model.w.square()).sum() + penalty(model, kappa)
    slopes = torch.cat(torch.autograd.grad(value, (u, v), create_graph=True))
    hessian = torch.stack([torch.cat(torch.autograd.grad(slope, (u, v), retain_graph=True)) for slope in slopes])

    assert slopes.abs().max() == 0
    least = torch.linalg.eigvalsh(hessian)[0].item()
    assert least == pytest.approx(2 * kappa - abs(gradient))
    assert (least < 0) == (abs(gradient) > 2 * kappa)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("group", [None, 1])
def test_depth_gives_the_fractional_penalty(depth, group):
    """`kappa sum_d |u_d|^2` over D factors is `kappa D |w|^(2/D)` (groups: of the norm)."""
    kappa, centres = 0.05, np.array([0.8, 1.5, 2.0])
    direction = torch.tensor([0.6, -0.8], dtype=torch.float64)
    target = torch.as_tensor(centres)[:, None] * (direction if group else 1.0)
    model = redundant(target.clone(), depth=depth, group=group)
    descend(model, lambda: (model.w - target).square().sum(), kappa, lr=0.02, steps=4000)

    def least(c):
        value = lambda w: (w - c) ** 2 + kappa * depth * w ** (2 / depth)  # noqa: E731
        return minimize_scalar(value, bounds=(c / 2, c), method="bounded", options={"xatol": 1e-10}).x

    expected = [least(c) for c in centres]
    np.testing.assert_allclose(model.w.detach().norm(dim=1), expected, atol=1e-5)
    assert imbalance(model)["w"] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("optimizer_class, lr", [(torch.optim.SGD, 0.05), (torch.optim.Adam, 0.02)])
@pytest.mark.parametrize("init", ["off_balance", "unit", "balanced"])
def test_wrong_signs_are_left_unless_the_start_is_balanced(optimizer_class, lr, init):
    """From starts of the wrong sign the default reaches the lasso; the balanced start never crosses zero."""
    X, _ = lasso_problem(11, n=60, p=6)
    truth = torch.tensor([2.0, -2.0, 1.0, -1.0, 0.5, 0.0], dtype=torch.float64)
    y, alpha = X @ truth, 0.1
    start = torch.tensor([-0.5, 0.5, -0.9, 0.2, -0.05, 0.7], dtype=torch.float64)
    reference = Lasso(alpha, fit_intercept=False, tol=1e-12).fit(X.numpy(), y.numpy()).coef_
    model = redundant(start.clone(), init=init)
    assert sign_locked(model)["w"] == (6 if init == "balanced" else 0)

    kappa = kappa_from_lasso_alpha(alpha)
    descend(model, lambda: half_mean(X, y, model.w), kappa, lr, steps=3000, kind=optimizer_class)

    w = model.w.detach()
    if init == "balanced":
        assert (w * start > -1e-12).all()
        assert np.abs(w.numpy() - reference).max() > 0.5
    else:
        np.testing.assert_allclose(w, reference, atol=2e-3)
        assert (w * start)[:5].max() < 0
