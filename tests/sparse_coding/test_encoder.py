"""The batched encoder against scikit-learn, its own certificate, and the corners where lasso solvers break."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import sparse_encode

from spred_bench.sparse_coding import encode, objective


def problem(n=40, m=24, k=60, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((m, k))
    X = 2 * rng.standard_normal((n, m)) * rng.gamma(1.0, 1.0, (n, 1))
    return X.astype(dtype), (B / np.linalg.norm(B, axis=0)).astype(dtype)


def gaps_of(X, B, codes, kappa):
    """P - D of 1/2 |x - Bs|^2 + kappa |s|_1 in float64, as a fraction of |x|^2 / 2."""
    X, B, S = np.float64(X), np.float64(B), np.float64(codes.toarray())
    R = X - S @ B.T
    c = np.minimum(1, kappa / np.maximum(np.abs(R @ B).max(1), 1e-300))[:, None]
    primal = 0.5 * (R**2).sum(1) + kappa * np.abs(S).sum(1)
    dual = 0.5 * (X**2).sum(1) - 0.5 * ((X - c * R) ** 2).sum(1)
    return (primal - dual) / np.maximum(0.5 * (X**2).sum(1), 1e-300)


@pytest.mark.slow
@pytest.mark.parametrize("m, k", [(24, 12), (24, 60), (24, 300), (64, 64)])
@pytest.mark.parametrize("kappa", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("threads", [1, 2])
def test_agrees_with_coordinate_descent(m, k, kappa, threads):
    X, B = problem(m=m, k=k)
    torch.set_num_threads(threads)
    try:
        found = encode(X, B, kappa, gap=1e-10)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    expected = sparse_encode(X, B.T, algorithm="lasso_cd", alpha=kappa, max_iter=100_000)
    assert found.codes.shape == expected.shape
    assert found.gap.max() <= 1e-10
    assert gaps_of(X, B, found.codes, kappa).max() <= 2e-10
    assert objective(X, B, found, kappa) <= objective(X, B, expected, kappa) * (1 + 1e-12)
    assert objective(X, B, found, kappa) == pytest.approx(objective(X, B, expected, kappa), rel=1e-6)


def test_objective_is_equation_7():
    X, B = problem(n=5)
    S = encode(X, B, 0.3).codes
    by_hand = [((x - B @ s) ** 2).sum() + 2 * 0.3 * abs(s).sum() for x, s in zip(X, S.toarray(), strict=True)]
    assert objective(X, B, S, 0.3) == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_float32_reaches_its_gap_and_zeros_are_exact():
    X, B = problem(n=300, m=64, k=200, dtype=np.float32)
    found = encode(X, B, 0.5)
    assert found.codes.dtype == np.float32
    assert found.gap.max() <= 1e-6
    assert gaps_of(X, B, found.codes, 0.5).max() <= 2e-6
    assert 0 < found.codes.nnz < 0.3 * 300 * 200
    assert (found.codes.data != 0).all()


def test_all_zero_above_the_largest_correlation():
    X, B = problem()
    found = encode(X, B, 1.0001 * np.abs(X @ B).max())
    assert found.codes.nnz == 0
    assert found.gap.max() == 0


def test_zero_patches_zero_atoms_and_duplicate_atoms():
    X, B = problem(k=40)
    X[3] = 0
    B[:, 5] = 0
    B[:, 7], B[:, 8] = B[:, 6], -B[:, 6]
    found = encode(X, B, 0.2, gap=1e-9)
    assert found.codes[3].nnz == 0
    assert found.codes[:, [5]].nnz == 0
    assert gaps_of(X, B, found.codes, 0.2).max() <= 2e-9


def test_a_start_changes_nothing_but_the_work():
    X, B = problem(n=100)
    cold = encode(X, B, 0.3, gap=1e-10)
    rng = np.random.default_rng(1)
    wrong = sparse.csr_matrix(rng.standard_normal(cold.codes.shape) * (rng.random(cold.codes.shape) < 0.3))
    for start in (cold.codes, wrong):
        warm = encode(X, B, 0.3, gap=1e-10, start=start)
        np.testing.assert_allclose(warm.codes.toarray(), cold.codes.toarray(), atol=1e-6)


@pytest.mark.slow
def test_very_coherent_atoms():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((32, 8)).repeat(12, axis=1) + 0.05 * rng.standard_normal((32, 96))
    B /= np.linalg.norm(B, axis=0)
    X = 3 * rng.standard_normal((60, 32))
    found = encode(X, B, 0.05, gap=1e-7)
    assert gaps_of(X, B, found.codes, 0.05).max() <= 2e-7


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "gap", "slack"), [("float64", 1e-7, 1e-9), ("float32", 1e-6, 1e-6)])
@pytest.mark.parametrize("seed", [2, 7, 23, 38])  # at each of them the rounds alone stall
def test_coherent_atoms_of_any_kind_are_coded(seed, dtype, gap, slack):
    rng = np.random.default_rng(seed)
    m, groups, copies = int(rng.integers(8, 48)), int(rng.integers(2, 12)), int(rng.integers(2, 16))
    spread, kappa = 10.0 ** rng.uniform(-6, -0.5), 10.0 ** rng.uniform(-2.5, 0)
    B = rng.standard_normal((m, groups)).repeat(copies, axis=1)
    B = B + spread * rng.standard_normal(B.shape)
    B = (B / np.linalg.norm(B, axis=0)).astype(dtype)
    X = (3 * rng.standard_normal((12, m))).astype(dtype)
    found = encode(X, B, kappa, gap=gap)
    true = gaps_of(X.astype(float), B.astype(float), found.codes, kappa)
    assert true.max() <= gap + slack
    assert (true <= found.gap + slack).all()


def test_equal_atoms_and_a_patch_of_zeros():
    rng = np.random.default_rng(3)
    B = np.repeat(rng.standard_normal((6, 4)), 3, axis=1)
    X = np.vstack([np.zeros(6), rng.standard_normal((5, 6))])
    found = encode(X, B, 0.1, gap=1e-9)
    assert gaps_of(X[1:], B, found.codes[1:], 0.1).max() <= 2e-9 and found.codes[0].nnz == 0 and found.gap[0] == 0


@pytest.mark.parametrize("change, words", [
    (lambda X, B: (X.__setitem__((0, 1), np.nan), {})[1], "X holds NaN or inf in 1 of 960"),
    (lambda X, B: (B.__setitem__((0, 1), np.inf), {})[1], "B holds NaN or inf in 1 of 1440"),
    (lambda X, B: {"kappa": -1.0}, "kappa must be positive"),
    (lambda X, B: {"B": B.T}, "X must be"),
    (lambda X, B: {"start": np.zeros((3, 3))}, "start must be of shape"),
    (lambda X, B: {"gap": 0.0}, "gap must be positive"),
])  # fmt: skip
def test_bad_input_is_one_clear_line(change, words):
    X, B = problem()
    options = {"X": X, "B": B, "kappa": 0.3} | change(X, B)
    with pytest.raises(ValueError, match=words) as error:
        encode(**options)
    assert "\n" not in str(error.value)
