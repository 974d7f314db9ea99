"""Two-dimensional Gabor functions fitted to the atoms of a dictionary, all together, by least squares.

    g(x, y) = exp(-a^2 / (2 s_a^2) - b^2 / (2 s_b^2)) (c cos(2 pi f a) + d sin(2 pi f a))
    a =  (x - x0) cos t + (y - y0) sin t,   b = -(x - x0) sin t + (y - y0) cos t

Eight parameters an atom: x0, y0, t, f, log s_a, log s_b, c, d, fitted by Levenberg-Marquardt from the peak of the
atom's spectrum at several envelopes. Pixels are the unit of length; t is the direction across the stripes.
"""

from dataclasses import dataclass

import numpy as np

GABOR_LIKE = 0.8  # least share of an atom's energy that a Gabor explains
_STARTS = (0.8, 1.5, 2.5, 4.5)  # standard deviations of the envelope, in pixels
_STEPS = 40
_SMALLEST, _PADDED = 0.4, 64  # envelope in pixels; side of the padded spectrum
_BLOCK = 256  # atoms at a time: their Jacobians (256 x 256 x 8) stay in the cache


@dataclass(frozen=True)
class GaborFits:
    """One entry per atom, each (k,). r_squared: share of the energy explained, 0 for an atom that is zero.

    x, y: centre in pixels from the middle, y downwards.  orientation: direction of the stripes as one sees it,
    counter-clockwise from horizontal, in radians within [0, pi).  frequency: cycles a pixel.  sigma_across,
    sigma_along: envelope across and along the stripes, in pixels.
    """

    r_squared: np.ndarray
    x: np.ndarray
    y: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray
    sigma_across: np.ndarray
    sigma_along: np.ndarray


def fit_gabors(B: np.ndarray) -> GaborFits:
    """Fit the columns of B (side^2, k), pixels row after row."""
    side = round(B.shape[0] ** 0.5)
    atoms = np.asarray(B, dtype=np.float64).T
    norms = np.linalg.norm(atoms, axis=1)
    atoms = atoms / np.where(norms > 0, norms, 1.0)[:, None]
    best = np.zeros((len(atoms), 8))
    error = np.full(len(atoms), np.inf)
    for at in range(0, len(atoms), _BLOCK):
        block = slice(at, at + _BLOCK)
        for sigma in _STARTS:
            p, e = _minimise(atoms[block], _start(atoms[block], side, sigma), side)
            better = e < error[block]
            best[block][better], error[block][better] = p[better], e[better]
    x, y, t, f, log_across, log_along = best.T[:6]
    r_squared = np.where(norms > 0, np.clip(1 - error, 0, 1), 0)
    orientation = np.mod(np.pi / 2 - t, np.pi)
    return GaborFits(r_squared, x, y, orientation, np.abs(f), np.exp(log_across), np.exp(log_along))


def gabor(p: np.ndarray, side: int) -> np.ndarray:
    """The functions with parameters p (k, 8), in the order of the module's docstring, as rows (k, side^2)."""
    return _parts(p, side)[0]


def _parts(p: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(g (k, side^2), its derivatives (k, 8, side^2))."""
    position = np.arange(side) - (side - 1) / 2
    x, y = np.tile(position, side), np.repeat(position, side)
    x0, y0, t, f, log_a, log_b, c, d = (column[:, None] for column in p.T)
    cos_t, sin_t = np.cos(t), np.sin(t)
    a = (x - x0) * cos_t + (y - y0) * sin_t
    b = (y - y0) * cos_t - (x - x0) * sin_t
    inverse_a, inverse_b = np.exp(-2 * log_a), np.exp(-2 * log_b)
    envelope = np.exp(-0.5 * (a * a * inverse_a + b * b * inverse_b))
    in_phase, quadrature = np.cos(2 * np.pi * f * a), np.sin(2 * np.pi * f * a)
    d_c, d_d = envelope * in_phase, envelope * quadrature
    g = c * d_c + d * d_d
    slope = 2 * np.pi * (d * d_c - c * d_d)  # of the wave, by f a
    along_a, along_b = f * slope - g * a * inverse_a, -g * b * inverse_b
    derivatives = (
        -cos_t * along_a + sin_t * along_b,
        -sin_t * along_a - cos_t * along_b,
        b * along_a - a * along_b,
        a * slope,
        g * a * a * inverse_a,
        g * b * b * inverse_b,
        d_c,
        d_d,
    )
    return g, np.stack(derivatives, axis=1)


def _start(atoms: np.ndarray, side: int, sigma: float) -> np.ndarray:
    """Parameters (k, 8): frequency and direction of the spectrum's peak, centre of energy, envelope sigma."""
    images = atoms.reshape(-1, side, side)
    spectrum = np.abs(np.fft.rfft2(images, (_PADDED, _PADDED)))
    row, column = np.unravel_index(spectrum.reshape(len(atoms), -1).argmax(axis=1), spectrum.shape[1:])
    f_y, f_x = np.fft.fftfreq(_PADDED)[row], np.fft.rfftfreq(_PADDED)[column]
    weight = atoms**2
    # The centre is where the energy is; its square keeps a patch of noise elsewhere from pulling.
    weight = (weight + 1e-12) ** 1.5
    weight /= weight.sum(axis=1, keepdims=True)
    position = np.arange(side) - (side - 1) / 2
    x0, y0 = weight @ np.tile(position, side), weight @ np.repeat(position, side)
    log_sigma = np.full(len(atoms), np.log(sigma))
    zero = np.zeros(len(atoms))
    p = np.stack([x0, y0, np.arctan2(f_y, f_x), np.hypot(f_x, f_y), log_sigma, log_sigma, zero, zero], axis=1)
    waves = _parts(p, side)[1][:, 6:]  # the best c and d for the rest
    gram = np.einsum("kim,kjm->kij", waves, waves) + 1e-9 * np.eye(2)
    p[:, 6:] = np.linalg.solve(gram, np.einsum("kim,km->ki", waves, atoms)[..., None])[..., 0]
    return p


def _minimise(atoms: np.ndarray, p: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt for each row of p alone; (parameters, squared errors)."""
    damping = np.full(len(atoms), 1e-2)
    g, J = _parts(p, side)
    residual = atoms - g
    error = np.sum(residual**2, axis=1)
    for _ in range(_STEPS):
        gram = np.matmul(J, J.transpose(0, 2, 1))
        diagonal = np.einsum("kii->ki", gram)
        diagonal += damping[:, None] * (diagonal + 1e-8)
        step = np.linalg.solve(gram, np.matmul(J, residual[..., None]))[..., 0]
        trial = p + step
        trial[:, :2] = np.clip(trial[:, :2], -0.75 * side, 0.75 * side)
        trial[:, 3] = np.clip(trial[:, 3], -0.71, 0.71)
        trial[:, 4:6] = np.clip(trial[:, 4:6], np.log(_SMALLEST), np.log(2 * side))
        g_trial, J_trial = _parts(trial, side)
        error_trial = np.sum((atoms - g_trial) ** 2, axis=1)
        better = error_trial < error
        damping = np.where(better, 0.3 * damping, 4 * damping).clip(1e-9, 1e9)
        still = np.sum(error - error_trial, where=better) > 1e-7 * len(atoms)
        p, error = np.where(better[:, None], trial, p), np.where(better, error_trial, error)
        residual[better], J[better] = atoms[better] - g_trial[better], J_trial[better]
        if not still and better.any():
            break
    return p, error
