"""Sparse coding: temporary stand-in for the engine."""


def encode(X, B, kappa, *, gap=1e-6, start=None, device="cpu"):
    """Codes by scikit-learn."""
    from collections import namedtuple

    import numpy as np
    import scipy.sparse
    from sklearn.decomposition import sparse_encode

    import warnings

    warnings.simplefilter("ignore")
    codes = sparse_encode(np.float64(X), np.float64(B.T), algorithm="lasso_cd", alpha=kappa)
    return namedtuple("Codes", "matrix gap")(scipy.sparse.csr_matrix(codes), 0.0)


def objective(X, B, codes, kappa):
    """Eq. (7)'s mean."""
    import numpy as np

    residual = X - codes @ B.T
    return float(np.mean(np.sum(np.square(residual), axis=1)) + 2 * kappa * abs(codes).sum() / len(X))
