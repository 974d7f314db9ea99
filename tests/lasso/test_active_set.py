"""The compiled solvers on few columns and on a small X: optimality conditions where exchanging signs would cycle."""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from fake_cuda import needs_fake_cuda
from spred_bench.lasso.second_order import newton
from spred_bench.lasso.second_order.active_set import descend
from spred_bench.lasso.second_order.compact import is_small, solve_compact
from spred_bench.lasso.second_order.design_matrix import correlate, gather, with_rows, wrap_design
from spred_bench.lasso.second_order.gram_cache import GramCache
from spred_bench.lasso.second_order.path import lasso_path


def violation(gram, b, alpha, w):
    """How far w is from the optimality conditions, in units of alpha."""
    q = b - gram @ w
    inside = w != 0
    on_support = np.abs(q[inside] - alpha * np.sign(w[inside])).max(initial=0.0)
    return max(on_support, np.abs(q[~inside]).max(initial=0.0) - alpha) / alpha


def correlated(n, c, seed, rho=0.9):
    """Rows with a common factor: signs that flip from one penalty to the next."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - rho) * rng.standard_normal((n, c)) + np.sqrt(rho) * rng.standard_normal((n, 1))
    return X, X @ rng.standard_normal(c) + rng.standard_normal(n)


@pytest.mark.parametrize("n, c", [(100, 40), (40, 40), (30, 120), (5, 60), (1, 10)])
@pytest.mark.parametrize("fraction", [0.5, 0.1, 1e-3])
@pytest.mark.parametrize("seed", range(4))
def test_wide_problems_reach_the_optimality_conditions(n, c, fraction, seed):
    X, y = correlated(n, c, seed)
    gram, b = X.T @ X / n, X.T @ y / n
    alpha = fraction * np.abs(b).max()
    w, reached = descend(gram, b, alpha, np.zeros(c), 20 * min(n, c) + 100)
    assert reached
    assert violation(gram, b, alpha, w) < 1e-8
    assert np.count_nonzero(w) <= n


def test_any_start_leads_to_the_same_minimum():
    X, y = correlated(60, 50, 0)
    gram, b = X.T @ X / 60, X.T @ y / 60
    alpha = 0.05 * np.abs(b).max()
    cold, _ = descend(gram, b, alpha, np.zeros(50), 1000)
    rng = np.random.default_rng(1)
    for start in (cold, -cold, rng.standard_normal(50), rng.standard_normal(50) * (rng.random(50) < 0.2)):
        w, reached = descend(gram, b, alpha, start, 1000)
        assert reached
        np.testing.assert_allclose(w, cold, atol=1e-9)


def test_equal_columns_share_one_place():
    X, y = correlated(40, 10, 2, rho=0.3)
    X = np.hstack([X, X, -X])
    gram, b = X.T @ X / 40, X.T @ y / 40
    w, reached = descend(gram, b, 0.01, np.zeros(30), 500)
    assert reached
    assert violation(gram, b, 0.01, w) < 1e-8


def test_gives_up_when_it_may_not_take_more_turns():
    X, y = correlated(60, 50, 0)
    gram, b = X.T @ X / 60, X.T @ y / 60
    assert not descend(gram, b, 1e-3 * np.abs(b).max(), np.zeros(50), 3)[1]


@pytest.mark.parametrize("n, p", [(50, 3000), (120, 900), (400, 30)])
def test_the_solver_for_a_small_matrix_certifies_what_it_returns(n, p):
    X, y = correlated(n, p, 3, rho=0.5)
    alpha = 0.05 * np.abs(X.T @ y).max() / n
    w, gap, _, reached = solve_compact(np.ascontiguousarray(X.T), y, alpha, 1e-9, np.zeros(p))
    assert reached
    assert gap <= 1e-9
    assert violation(X.T @ X / n, X.T @ y / n, alpha, w) < 1e-6
    again, _, rounds, _ = solve_compact(np.ascontiguousarray(X.T), y, alpha, 1e-9, w)
    assert rounds == 0
    np.testing.assert_array_equal(again, w)


def test_too_many_active_columns_go_to_the_other_solver():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 800))
    y = X @ rng.standard_normal(800)
    alpha = 0.01 * np.abs(X.T @ y).max() / 500
    assert not solve_compact(np.ascontiguousarray(X.T), y, alpha, 1e-6, np.zeros(800))[3]
    result = newton.solve_lasso(X, y, alpha)
    assert result.dual_gap <= 1e-6
    assert np.count_nonzero(result.coef) > 160


@pytest.mark.parametrize("make", [torch.float32, torch.float64])
def test_only_a_small_dense_float64_matrix_counts_as_small(make):
    assert is_small(wrap_design(torch.zeros(10, 10, dtype=make))) == (make == torch.float64)
    assert not is_small(wrap_design(torch.zeros(1, dtype=make).expand(4000, 4000)))


@needs_fake_cuda
def test_passes_over_x_stay_on_its_device():
    """A tensor of the CPU that slipped in between fake CUDA tensors would raise."""
    with FakeTensorMode(), torch.device("cuda"):
        design = wrap_design(torch.empty(6, 50, dtype=torch.float32))
        design = with_rows(design, torch.empty(6, dtype=torch.float64), centered=True)
        residual = torch.empty(6, dtype=torch.float64)
        q = correlate(design, residual)
        rows = gather(design, torch.empty(4, dtype=torch.long))
        assert (q.device.type, tuple(q.shape), q.dtype) == ("cuda", (50,), torch.float64)
        assert (rows.device.type, tuple(rows.shape)) == ("cuda", (4, 6))
        cache = GramCache(6, 50, 20, q.device)
        assert cache.position.device.type == cache.buffers.take("x", 3, 3).device.type == "cuda"
        assert not is_small(design)


@pytest.mark.parametrize("n, p, eps", [(60, 25, 1e-3), (30, 400, 1e-2), (400, 500, 1e-3)])
def test_a_path_equals_single_solves(n, p, eps):
    X, y = correlated(n, p, 5, rho=0.5)
    alphas, results = lasso_path(X, y, n_alphas=12, eps=eps, tol=1e-9)
    assert len(alphas) == len(results) == 12
    for alpha, result in zip(alphas, results, strict=True):
        assert result.dual_gap <= 1e-9
        np.testing.assert_allclose(result.coef, newton.solve_lasso(X, y, alpha, tol=1e-9).coef, atol=1e-5)
    last = np.count_nonzero(results[-1].coef)
    assert (last > 160) == (n == 400)
