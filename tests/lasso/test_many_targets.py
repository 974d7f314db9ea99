"""Many targets at once: what each solver returns is the lasso solution of every target, or an honest infinite gap."""

import numpy as np
import pytest
import torch

from lasso_problems import gap_of, largest_alpha, problem
from spred_bench.lasso.second_order.design_matrix import wrap_design
from spred_bench.lasso.second_order.gram_cache import gram_matrix
from spred_bench.lasso.second_order.joint import relative_gaps, solve_jointly
from spred_bench.lasso.second_order.many_targets import gram_pays, has_columns, solve_in_rounds
from spred_bench.lasso.second_order.newton import solve_lasso


def targets(X, m, nonzeros, seed=1):
    """Y (n, m) from X (n, p): the truth of each target has `nonzeros` features of its own."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((X.shape[1], m))
    for column in W.T:
        column[rng.permutation(len(column))[nonzeros:]] = 0
    return X @ W + 0.1 * rng.standard_normal((len(X), m))


def inner_products(X, Y):
    """What `solve_jointly` takes."""
    X, Y = torch.from_numpy(np.asarray(X)), torch.from_numpy(Y)
    return gram_matrix(X.T) / len(X), (Y.T @ X / len(X)).contiguous(), (Y * Y).sum(0) / len(X)


@pytest.mark.parametrize("n, p", [(200, 150), (150, 200), (60, 100)])
@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.01])
def test_joint_solutions_pass_the_judge(n, p, fraction):
    X, _ = problem(n, p)
    Y = targets(X, 7, p)
    alpha = fraction * largest_alpha(X, Y)
    coef, gaps = solve_jointly(*inner_products(X, Y), alpha, 1e-7)
    true_gaps = [gap_of(X, Y[:, t], coef[t].numpy(), alpha) for t in range(7)]
    assert float(gaps.max()) <= 1e-7
    np.testing.assert_allclose(true_gaps, gaps.numpy(), atol=1e-12)


def test_joint_adapts_to_correlated_columns():
    rng = np.random.default_rng(0)
    X, _ = problem(120, 100)
    X = np.asfortranarray(X + 3 * rng.standard_normal((120, 1)))
    Y = targets(X, 5, 100)
    inner = inner_products(X, Y)
    coef, gaps = solve_jointly(*inner, 0.01 * largest_alpha(X, Y), 1e-6)
    assert float(gaps.max()) <= 1e-6
    _, unreached = solve_jointly(*inner, 0.01 * largest_alpha(X, Y), 1e-30)
    assert float(unreached.min()) > 1e-30
    np.testing.assert_allclose(relative_gaps(coef, *inner, 0.01 * largest_alpha(X, Y)), gaps, atol=1e-12)


@pytest.mark.parametrize("n, p, m", [(60, 90, 40), (60, 1500, 9), (300, 40, 5)])
@pytest.mark.parametrize("stored", [np.asfortranarray, np.ascontiguousarray, np.float32])
def test_every_way_through_gives_what_single_targets_give(n, p, m, stored):
    X, _ = problem(n, p)
    Y = targets(X, m, 4)
    alpha = 0.05 * largest_alpha(X, Y)
    tol = 1e-8 if stored is not np.float32 else 1e-5
    together = solve_lasso(stored(X), Y, alpha, tol=tol)
    assert together.coef.shape == (m, p)
    assert float(np.max(together.dual_gap)) <= tol
    for t in range(m):
        alone = solve_lasso(X, Y[:, t], alpha, tol=1e-10)
        np.testing.assert_allclose(together.coef[t], alone.coef, atol=1e-4 if stored is not np.float32 else 1e-2)


@pytest.mark.slow
def test_crowded_targets_are_left_to_the_other_solver():
    X, _ = problem(700, 1500)
    Y = np.concatenate([targets(X, 3, 3), targets(X, 3, 1500), np.zeros((700, 1))], axis=1)
    alpha = 0.01 * np.abs(X.T @ Y[:, :3]).max() / 700
    coef, gaps = torch.zeros((7, 1500), dtype=torch.float64), np.zeros(7)
    solve_in_rounds(wrap_design(X), torch.from_numpy(Y), alpha, 1e-8, coef, gaps)
    assert (gaps[[0, 1, 2, 6]] <= 1e-8).all() and np.isinf(gaps[3:6]).all()
    result = solve_lasso(X, Y, alpha, tol=1e-8)
    assert result.status == "converged"
    true_gaps = [gap_of(X, Y[:, t], result.coef[t], alpha) for t in range(6)]
    assert max(true_gaps) <= 1e-7


def test_which_designs_take_which_way():
    X = np.asfortranarray(np.ones((50, 400)))
    assert has_columns(wrap_design(X)) and not has_columns(wrap_design(np.ascontiguousarray(X)))
    assert not has_columns(wrap_design(X.astype(np.float32)))
    assert gram_pays(wrap_design(X), 14) and not gram_pays(wrap_design(X), 13)
    assert not gram_pays(wrap_design(np.ones((2, 30_000))), 5_000), "its inner products would fill 7 GB"


@pytest.mark.parametrize("m", [2, 40])
def test_non_finite_columns_are_refused_for_many_targets_too(m):
    X, _ = problem(40, 60)
    X[3, 5] = np.nan
    with pytest.raises(ValueError, match="X contains NaN or infinity"):
        solve_lasso(X, targets(np.nan_to_num(X), m, 3), 0.1)
