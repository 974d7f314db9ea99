"""The constant that bounds the step of a gradient method on the squared loss."""

import numpy as np


def lipschitz_constant(X, iterations: int = 100, seed: int = 0) -> float:
    """Largest eigenvalue of X'X / n by power iteration, 2 % added because it approaches from below."""
    v = np.random.default_rng(seed).standard_normal(X.shape[1]).astype(X.dtype)
    for _ in range(iterations):
        v = X.T @ (X @ v)
        norm = np.linalg.norm(v)
        if norm == 0:
            return 1.0  # X = 0: any step is right
        v /= norm
    return 1.02 * float(norm) / X.shape[0]
