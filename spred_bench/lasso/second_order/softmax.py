"""Multinomial logistic regression in the C - 1 coordinates that matter: softmax does not see a shift of all logits.

With Q (C, C-1) an orthonormal basis of the vectors that sum to zero, logits are X V Q^T + b Q^T. Decay and group norms
keep every row of a minimiser V Q^T in that space, and |V_j Q^T| = |V_j|; two classes become one column.
"""

import numpy as np


class Softmax:
    """The loss on labels y (n,) from 0 to n_classes - 1, averaged over the samples."""

    def __init__(self, y: np.ndarray, n_classes: int):
        self.n, self.n_classes, self.width = len(y), n_classes, n_classes - 1
        self.Y = np.eye(n_classes)[y]
        self.basis = np.linalg.qr(np.eye(n_classes) - 1 / n_classes)[0][:, : self.width]

    def value(self, Z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """For coordinates Z (n, C-1): mean cross entropy, its gradient R (n, C-1), probabilities P (n, C)."""
        logits = Z @ self.basis.T
        top = logits.max(axis=1, keepdims=True)
        E = np.exp(logits - top)
        total = E.sum(axis=1, keepdims=True)
        P = E / total
        loss = float((np.log(total) + top).sum() - np.vdot(logits, self.Y)) / self.n
        return loss, (P - self.Y) @ self.basis / self.n, P

    def hessian(self, A: np.ndarray, P: np.ndarray) -> np.ndarray:
        """Second derivatives by coefficients of the columns of A (n, k), by feature, then coordinate."""
        k, K = A.shape[1], self.width
        H = np.empty((k, K, k, K))
        PQ = P @ self.basis
        for s in range(K):
            for t in range(s + 1):
                # Curvature of each sample: Q' (diag(p) - p p') Q.
                weight = P @ (self.basis[:, s] * self.basis[:, t]) - PQ[:, s] * PQ[:, t]
                H[:, s, :, t] = A.T @ (weight[:, None] * A) / self.n
                H[:, t, :, s] = H[:, s, :, t]
        return H.reshape(k * K, k * K)

    def intercept(self) -> np.ndarray:
        """Coordinates b (C-1,) of the log frequencies; classes that are absent get a small share."""
        share = np.maximum(self.Y.mean(axis=0), 1e-3 / self.n)
        return np.log(share) @ self.basis
