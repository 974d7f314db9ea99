"""Gabor fits: parameters of hand-made functions come back, noise does not look like one, nothing breaks on zeros."""

import numpy as np
import pytest

from spred_bench.sparse_coding.gabor import fit_gabors, gabor


def hand_made(k, seed=0, side=16):
    """Parameters (k, 8) in the order of gabor.py with at least one stripe within the envelope, and the atoms (m, k)."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.1, 0.35, k)
    across = rng.uniform(0.35, 0.8, k) / frequency
    columns = [rng.uniform(-4, 4, k), rng.uniform(-4, 4, k), rng.uniform(0, np.pi, k), frequency]
    columns += [np.log(across), np.log(rng.uniform(1.2, 4, k)), rng.standard_normal(k), rng.standard_normal(k)]
    p = np.stack(columns, axis=1)
    return p, gabor(p, side).T


def angle_between(a, b):
    difference = np.mod(a - b, np.pi)
    return np.minimum(difference, np.pi - difference)


def test_parameters_of_hand_made_gabors_come_back():
    p, atoms = hand_made(200)
    fits = fit_gabors(atoms)
    assert fits.r_squared.min() > 0.98
    good = fits.r_squared > 0.9999
    assert good.mean() > 0.95
    np.testing.assert_allclose(fits.frequency[good], p[good, 3], atol=1e-3)
    assert angle_between(fits.orientation[good], np.pi / 2 - p[good, 2]).max() < 1e-2
    np.testing.assert_allclose(fits.x[good], p[good, 0], atol=0.05)
    np.testing.assert_allclose(fits.y[good], p[good, 1], atol=0.05)
    np.testing.assert_allclose(fits.sigma_across[good], np.exp(p[good, 4]), rtol=0.02)
    np.testing.assert_allclose(fits.sigma_along[good], np.exp(p[good, 5]), rtol=0.02)


def test_r_squared_is_the_share_of_the_energy_explained():
    _, atoms = hand_made(40)
    atoms /= np.linalg.norm(atoms, axis=0)
    noise = np.random.default_rng(1).standard_normal(atoms.shape)
    noise *= 0.5 / np.linalg.norm(noise, axis=0)
    fits = fit_gabors(atoms + noise)
    # The noise has a fifth of the energy; eight parameters of 256 take little of it away.
    assert np.median(fits.r_squared) == pytest.approx(0.8, abs=0.03)
    np.testing.assert_allclose(fit_gabors(-3 * (atoms + noise)).r_squared, fits.r_squared, atol=1e-6)


def test_noise_is_not_gabor_like_and_zero_is_nothing():
    atoms = np.random.default_rng(0).standard_normal((256, 30))
    atoms[:, 0] = 0
    fits = fit_gabors(atoms)
    assert fits.r_squared[0] == 0 and fits.r_squared.max() < 0.3
    assert all(np.isfinite(values).all() for values in vars(fits).values())


def test_orientation_is_the_direction_of_the_stripes():
    columns, rows = np.meshgrid(np.arange(12), np.arange(12))
    stripes = np.cos(2 * np.pi * 0.2 * np.stack([columns, rows, columns + rows]))  # up, across, and up to the right
    stripes *= np.exp(-((columns - 5.5) ** 2 + (rows - 5.5) ** 2) / 12)
    fits = fit_gabors(stripes.reshape(3, -1).T)
    assert angle_between(fits.orientation, np.radians([90, 0, 45])).max() < 0.02
    np.testing.assert_allclose(fits.frequency, [0.2, 0.2, 0.2 * 2**0.5], atol=0.01)
