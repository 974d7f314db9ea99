"""The online learner: it learns, reproducibly, with unit columns, and gives dead atoms something to do."""

import numpy as np
import pytest
import torch

from spred_bench.learners import spred
from spred_bench.sparse_coding import encode, learning, objective
from spred_bench.sparse_coding.encoder import Dictionary
from spred_bench.sparse_coding.learning import CodingProblem


def planted(n, m=16, k=24, active=3, seed=0):
    """Patches (n, m) that are sums of few of k atoms; the atoms (m, k)."""
    truth = np.random.default_rng(0).standard_normal((m, k))
    truth /= np.linalg.norm(truth, axis=0)
    rng = np.random.default_rng(seed)
    S = np.zeros((n, k))
    for row in S:
        row[rng.choice(k, active, replace=False)] = 3 * rng.choice([-1, 1], active)
    return (S @ truth.T + 0.05 * rng.standard_normal((n, m))).astype(np.float32), truth


def learned(X, held_out, seed=0, **options):
    problem = CodingProblem(X, 24, 0.3, seed)
    return learning.learn(spred.Learner(**options), problem, held_out, time_limit_s=600.0, max_passes=20)


def test_comes_near_the_truth_on_held_out_patches():
    (X, truth), (held_out, _) = planted(2000), planted(300, seed=1)
    monitor = learned(X, held_out)
    assert monitor.status == "done"
    best = objective(held_out, truth, encode(held_out, truth, 0.3, gap=1e-5), 0.3)
    first, last = monitor.trace[0].objective, monitor.trace[-1].objective
    assert best < last < best + 0.4 * (first - best)
    np.testing.assert_allclose(np.linalg.norm(monitor.dictionary, axis=0), 1, atol=1e-5)


def test_same_seed_same_dictionary():
    (X, _), (held_out, _) = planted(600), planted(50, seed=1)
    first, second, other = (learned(X, held_out, seed).dictionary for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.allclose(first, other)


def test_visits_every_patch_once_a_pass_and_sums_what_the_step_needs():
    X, _ = planted(100)
    units = spred.Units(torch.from_numpy(X), 24, 16, seed=0)
    B = torch.from_numpy(CodingProblem(X, 24, 0.3, 0).start())
    n, squares, gradient, worst = units.visit(100, Dictionary(B), 0.3, 1e-6)
    S = encode(X, B.numpy(), 0.3).codes
    assert n == 100
    assert worst.shape[1] == 16
    np.testing.assert_allclose(squares, np.asarray(S.power(2).sum(axis=0)).ravel(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(gradient, S.T @ (X - S @ B.numpy().T), rtol=1e-2, atol=1e-2)


def test_dead_atoms_are_revived():
    atoms, worst = torch.eye(4), torch.tensor([[0.0, 3.0, 4.0, 0.0]])
    velocity, curvature, last_use = (
        torch.ones(4, 4),
        torch.tensor([1.0, 0.0, 2.0, 1.0]),
        torch.tensor([90.0, 10, 90, 90]),
    )
    spred.revive(atoms, velocity, curvature, last_use, 100, 50, worst)
    assert atoms[1].tolist() == pytest.approx([0, 0.6, 0.8, 0])
    assert velocity[1].abs().sum() == 0 and last_use[1] == 100 and curvature[1] == 1
    assert torch.equal(atoms[[0, 2, 3]], torch.eye(4)[[0, 2, 3]])
