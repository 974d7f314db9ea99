"""The online learner: it learns, reproducibly, with unit columns, and gives dead atoms something to do."""

import numpy as np
import pytest
import torch

from spred_bench.components.learners import spred, spred_alternating
from spred_bench.sparse_coding import encode, learning, objective
from spred_bench.sparse_coding.encoder import Dictionary
from spred_bench.sparse_coding.learning import CodingProblem
from spred_bench.sparse_coding.statistics import Statistics, pack, unpack


def planted(n, m=16, k=24, active=3, seed=0):
    """Patches (n, m) that are sums of few of k atoms; the atoms (m, k)."""
    truth = np.random.default_rng(0).standard_normal((m, k))
    truth /= np.linalg.norm(truth, axis=0)
    rng = np.random.default_rng(seed)
    S = np.zeros((n, k))
    for row in S:
        row[rng.choice(k, active, replace=False)] = 3 * rng.choice([-1, 1], active)
    return (S @ truth.T + 0.05 * rng.standard_normal((n, m))).astype(np.float32), truth


def learned(X, held_out, learner=None, seed=0):
    problem = CodingProblem(X, 24, 0.3, seed)
    return learning.learn(learner or spred.Learner(), problem, held_out, time_limit_s=600.0, max_passes=20)


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
    first, second, other = (learned(X, held_out, seed=seed).dictionary for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.allclose(first, other)


def test_statistics_are_those_of_all_codes():
    X, _ = planted(100)
    units = spred.Units(torch.from_numpy(X), 24, 16, seed=0)
    B = torch.from_numpy(CodingProblem(X, 24, 0.3, 0).start())
    batch = [*units.draw(60), *units.draw(50)]
    assert sorted(batch) == list(range(7))
    coded = units.encode(batch, Dictionary(B), 0.3, 1e-6)
    statistics = Statistics(24, 16)
    statistics.add(coded, weight=1.0)
    S = encode(X, B.numpy(), 0.3).codes.toarray()
    np.testing.assert_allclose(statistics.gram, S.T @ S, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(statistics.cross, S.T @ X, rtol=1e-2, atol=1e-2)
    statistics.add(coded, weight=0.5)
    np.testing.assert_allclose(statistics.gram, 1.5 * S.T @ S, rtol=1e-2, atol=1e-2)
    statistics.drop(torch.tensor([3]))
    assert not statistics.gram[3].any() and not statistics.gram[:, 3].any() and not statistics.cross[3].any()


def test_packed_codes_unpack_to_themselves():
    S = np.float32([[0, 2, 0], [0, 0, 0], [-1, 0, 3]])
    codes = pack(S)
    assert codes.starts.tolist() == [0, 1, 1, 3] and codes.index.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(unpack(codes, 3), S)


def test_a_sweep_puts_each_atom_at_its_minimum_given_the_others():
    rng = np.random.default_rng(0)
    X, S = rng.standard_normal((300, 10)), rng.standard_normal((300, 70)) * (rng.random((300, 70)) < 0.2)
    S[:, 69] = 0.0
    before = rng.standard_normal((70, 10))
    before /= np.linalg.norm(before, axis=1, keepdims=True)
    statistics, atoms = Statistics(70, 10), torch.from_numpy(np.float32(before))
    statistics.gram += torch.from_numpy(np.float32(S.T @ S))
    statistics.cross += torch.from_numpy(np.float32(S.T @ X))
    statistics.sweep(atoms)
    expected = before.copy()
    for j in range(69):  # the last one has no code: it stays
        expected[j] += (S[:, j] @ X - S[:, j] @ S @ expected) / (S[:, j] @ S[:, j])
        expected[j] /= np.linalg.norm(expected[j])
    np.testing.assert_allclose(atoms, expected, atol=1e-4)


def test_dead_atoms_are_revived():
    atoms, x = torch.eye(4), torch.tensor([[0.0, 3.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    codes = pack(np.float32([[0, 0, 0, 0], [0, 1, 0, 0]]))
    assert spred.revive(atoms, torch.tensor([1]), x, codes).tolist() == [1]
    assert atoms[1].tolist() == pytest.approx([0, 0.6, 0.8, 0])
    assert torch.equal(atoms[[0, 2, 3]], torch.eye(4)[[0, 2, 3]])


class EveryRound:
    """A monitor that judges every dictionary on the patches learnt from, `rounds` times."""

    def __init__(self, X, kappa, rounds):
        self.X, self.kappa, self.rounds, self.values = X, kappa, rounds, []

    def restart(self):
        """No clock."""

    def __call__(self, n_seen, dictionary):
        B = dictionary().copy()
        self.values.append(objective(self.X, B, encode(self.X, B, self.kappa, gap=1e-6), self.kappa))
        return len(self.values) > self.rounds


def test_alternating_falls_with_every_round():
    X, truth = planted(400)
    monitor = EveryRound(X, 0.3, 8)
    spred_alternating.Learner().learn(CodingProblem(X, 24, 0.3, 0), monitor)
    values = np.array(monitor.values)
    assert (np.diff(values) < 1e-3 * values[0]).all()
    best = objective(X, truth, encode(X, truth, 0.3, gap=1e-5), 0.3)
    assert values[-1] < best + 0.5 * (values[0] - best)
