"""Conversions between kappa and its relatives, and the decay budget of a schedule."""

import math
import subprocess
import sys

import pytest
import torch
from sklearn.linear_model import Lasso

from spred_bench.redundancy import (
    asymmetric_strengths,
    decay_budget,
    depth_strength,
    kappa_from_asymmetric,
    kappa_from_l1_strength,
    kappa_from_lasso_alpha,
    kappa_from_weight_decay,
    l1_strength,
    lasso_alpha,
    weight_decay_from_kappa,
)


def test_conversions_are_one_convention():
    assert l1_strength(0.3) == weight_decay_from_kappa(0.3) == depth_strength(0.3, 2) == 0.6
    assert kappa_from_l1_strength(0.6) == kappa_from_weight_decay(0.6) == 0.3
    assert depth_strength(0.3, 4) == pytest.approx(1.2)
    alpha, beta = asymmetric_strengths(0.3, 5.0)
    assert kappa_from_asymmetric(alpha, beta) == pytest.approx(0.3) and alpha / beta == pytest.approx(25)
    for arguments in (("loss", 1, 1), ("sums", 2, 3)):
        with pytest.raises(ValueError, match="use one of half_mean, mean, half_sum, sum"):
            kappa_from_lasso_alpha(0.1, arguments[0])
    with pytest.raises(ValueError, match="ratio=0"):
        asymmetric_strengths(0.3, 0)
    for depth in (1, 2.5, "2"):
        with pytest.raises(ValueError, match=f"depth={depth!r} .* integer of 2 or more"):
            depth_strength(0.3, depth)
    for kappa in (-1, math.nan, math.inf, "0.1", None):
        with pytest.raises(ValueError, match=f"kappa={kappa!r} must be a finite number >= 0"):
            l1_strength(kappa)
    with pytest.raises(ValueError, match="outputs=0 must be at least 1"):
        lasso_alpha(0.1, "mean", outputs=0)
    with pytest.raises(ValueError, match=r"learning_rates=0\.1 must hold one rate per step"):
        decay_budget(1e-3, 0.1)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["half_mean", "mean", "half_sum", "sum"])
def test_lasso_alpha_fits_every_scaling(loss, outputs):
    """The subgradient of the named loss at scikit-learn's solution has size 2 kappa on the support."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(30, 8, generator=generator, dtype=torch.float64)
    Y = X[:, :outputs] * 2 + 0.1
    coefficients = Lasso(0.2, fit_intercept=False, tol=1e-12).fit(X.numpy(), Y.numpy()).coef_
    W = torch.as_tensor(coefficients).reshape(outputs, 8).requires_grad_()
    squares = (Y - X @ W.T).square()
    values = {"half_mean": squares.mean() / 2, "mean": squares.mean()}
    value = values.get(loss, squares.sum() / (2 if loss == "half_sum" else 1))
    value.backward()
    kappa = kappa_from_lasso_alpha(0.2, loss, samples=30, outputs=outputs)
    torch.testing.assert_close(W.grad[W != 0], -l1_strength(kappa) * W[W != 0].sign().detach(), rtol=1e-4, atol=1e-8)
    assert lasso_alpha(kappa, loss, samples=30, outputs=outputs) == pytest.approx(0.2)


def cosine(peak: float, steps: int) -> list[float]:
    return [peak * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def test_decay_budget_of_the_published_recipe():
    """lr 0.256 cosine, 50 epochs of 196 steps, momentum 0.875: about 20 at 1e-3, 2 at 1e-4."""
    schedule = cosine(0.256, 50 * 196)
    assert decay_budget(1e-3, schedule, momentum=0.875) == pytest.approx(20, abs=0.2)
    with pytest.warns(UserWarning, match="decay budget 2.01 is below 14"):
        assert decay_budget(1e-4, schedule, momentum=0.875) == pytest.approx(2, abs=0.02)
    assert decay_budget(1e-3, schedule, momentum=0.875, depth=3) == pytest.approx(30, abs=0.3)
    with pytest.raises(ValueError, match="momentum=1"):
        decay_budget(1e-3, schedule, momentum=1.0)


def test_conversions_do_not_load_torch():
    code = "import sys; from spred_bench.redundancy import l1_strength; assert l1_strength(1) == 2; "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)
