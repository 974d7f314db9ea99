"""Feature selection by spred with a linear model, Eq. (8) with f_l alone: one scalar u_j per feature for all classes.

    min_{u, W, b}  CE(X diag(u) W + b) + kappa (|u|^2 + |W|^2)   =   min_{V, b}  CE(X V + b) + 2 kappa sum_j |V_j|_2

The left side is smooth, and L-BFGS runs on it (spred proper), on a working set of features: those in use and the
largest violators of the right side's optimality condition, |dCE/dV_j| <= 2 kappa where V_j = 0. Features whose mask and
weights have died leave the set; Newton's method on the V_j that live lands on the exact answer; one pass over all
features certifies it, or names those that have to come in. Memory beyond X (n, d) is that of the working set.

At depth 3 the penalty is kappa (|u|^2 + |u'|^2 + |W|^2), that is 3 kappa sum_j |V_j|^(2/3): not convex. Its solution
is the local minimum below that of depth 2 at the same kappa, so that features can only leave.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from spred_bench.lasso.second_order.feature_landing import Smooth, land
from spred_bench.lasso.second_order.softmax import Softmax

_MAX_ROUNDS = 12
_FEWEST_NEW = 10
# Relative accuracy of L-BFGS where Newton's method follows.
_LOOSE = 1e-3
# Beyond this many coefficients a Newton step costs more than L-BFGS to the end.
_LARGEST_NEWTON = 1000
# Entries of X that are widened to float64 at a time.
_BLOCK_ENTRIES = 2**22
# A feature this much smaller than the largest, and not pulled at, is dead.
_DEAD = 1e-6


@cache
def _pools() -> ThreadpoolController:
    """The libraries' pools of threads, looked for once: that takes as long as a point of the path."""
    return ThreadpoolController()


class PathPoint(NamedTuple):
    """The solution at one kappa. features (k,): the largest |V_j| first; coef (k, C) in that order; intercept (C,).

    residual: largest violation of the optimality conditions over all features, as a fraction of 2 kappa.
    """

    kappa: float
    features: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    residual: float

    def decide(self, X: np.ndarray) -> np.ndarray:
        """Logits (m, C)."""
        return X[:, self.features] @ self.coef + self.intercept


class FeaturePath:
    """Solutions at any kappas, each started from the one before: give them in decreasing order.

    X (n, d) float32 or float64, not copied; y (n,) labels 0 .. n_classes - 1; tol: largest residual aimed at.
    intercept: fit an unpenalised b; the paper's f_l has none. All sums are taken in float64.
    """

    def __init__(self, X, y, n_classes: int, *, depth: int = 2, intercept: bool = False, tol: float = 1e-5):
        self.X, self.depth, self.tol, self.has_intercept = X, depth, tol, intercept
        self.loss = Softmax(y, n_classes)
        self.V = {}  # feature: coefficients (C-1,), of the living
        self.b = self.loss.intercept() if intercept else np.zeros(self.loss.width)
        self.n_rounds = 0  # working sets tried so far
        squares = sum(float(np.vdot(block, block)) for _, block in self._blocks())
        self.unit = (squares / X.size) ** 0.5 or 1.0  # the size of X: what b's gradient is to be compared with
        with _pools().limit(limits=1):
            self._look()
        self.kappa_max = float(self.pull.max(initial=0.0)) / 2

    def at(self, kappa: float) -> PathPoint:
        """The solution at `kappa` > 0."""
        # The products are small: a second thread costs more than it saves, on a busy machine a hundred times more.
        with _pools().limit(limits=1):
            return self._at(kappa)

    def _at(self, kappa: float) -> PathPoint:
        best = np.inf, dict(self.V), self.b
        for attempt in range(_MAX_ROUNDS):
            new = [j for j in np.argsort(-self.pull)[: max(_FEWEST_NEW, len(self.V))] if self._pulled(j, kappa)]
            if attempt and not new and self._residual(kappa) <= self.tol:
                break
            if not new and not self.V:
                break
            self.n_rounds += 1
            self._solve_on([*self.V, *new], kappa, careful=attempt > 2)
            self._look()
            residual = self._residual(kappa)
            if residual < best[0]:
                best = residual, dict(self.V), self.b
        if self._residual(kappa) > best[0]:
            _, self.V, self.b = best
            self._look()
        return self._point(kappa, self.V, self.b) if self.depth == 2 else self._deepen(kappa)

    def _pulled(self, j: int, kappa: float) -> bool:
        return j not in self.V and self.pull[j] > 2 * kappa * (1 + self.tol)

    def _look(self) -> None:
        """One pass over X: gradients (d, C-1) and their norms at the present V and b."""
        columns = self.X[:, list(self.V)].astype(np.float64)
        Z = columns @ self._coefficients(self.V) + self.b
        R = self.loss.value(Z)[1]
        self.gradient = np.concatenate([block.T @ R for _, block in self._blocks()])
        self.slope = self.unit * np.abs(R.sum(axis=0)).max() if self.has_intercept else 0.0
        self.pull = np.sqrt(np.einsum("jk,jk->j", self.gradient, self.gradient))

    def _blocks(self):
        """(columns, X there in float64), block by block; X itself where it is float64."""
        n, d = self.X.shape
        width = d if self.X.dtype == np.float64 else max(1, _BLOCK_ENTRIES // n)
        for start in range(0, d, width):
            columns = slice(start, min(start + width, d))
            yield columns, self.X[:, columns].astype(np.float64, copy=False)

    def _residual(self, kappa: float) -> float:
        """Largest violation of optimality, relative to 2 kappa."""
        worst = max(self.pull.max(initial=0.0) / (2 * kappa) - 1, self.slope / (2 * kappa))
        for j, v in self.V.items():
            worst = max(worst, np.linalg.norm(self.gradient[j] / (2 * kappa) + v / np.linalg.norm(v)))
        return float(max(worst, 0.0))

    def _coefficients(self, V: dict) -> np.ndarray:
        return np.array(list(V.values())).reshape(len(V), self.loss.width)

    def _point(self, kappa: float, V: dict, b: np.ndarray, residual: float | None = None) -> PathPoint:
        coef, features = self._coefficients(V), np.array(list(V), dtype=np.int64)
        order = np.argsort(-np.linalg.norm(coef, axis=1), kind="stable")
        residual = self._residual(kappa) if residual is None else residual
        return PathPoint(kappa, features[order], coef[order] @ self.loss.basis.T, self.loss.basis @ b, residual)

    def _solve_on(self, columns: list[int], kappa: float, careful: bool) -> None:
        """Minimise over these features; the dead are dropped. `careful`: more exactly before landing, which cycled.

        X and kappa are divided by the size of X, so that V, b and their gradients are of the size that they have where
        features are standardised.
        """
        A = np.asfortranarray(self.X[:, columns], dtype=np.float64)
        start = np.array([self.V.get(j, self._birth(j, kappa, A[:, i])) for i, j in enumerate(columns)]) * self.unit
        A, kappa = A / self.unit, kappa / self.unit
        lands = start.size <= _LARGEST_NEWTON
        # A feature hardly pulled in has a gradient of the order of its excess, times that of its mask.
        accuracy = 1e-5 * self.tol if careful else _LOOSE if lands else 0.01 * self.tol
        V, b = self._descend(A, start, self.b, kappa, 2, accuracy)
        norms, pull = np.linalg.norm(V, axis=1), np.linalg.norm(A.T @ self.loss.value(A @ V + b)[1], axis=1)
        alive = (norms > _DEAD * norms.max()) | ((norms > 0) & (pull > 2 * kappa))
        if lands:
            V, b, alive = land(Smooth(self.loss, A, kappa, self.has_intercept), V, b, alive, self.tol)
        self.V = {j: v / self.unit for j, v, living in zip(columns, V, alive, strict=True) if living}
        self.b = b

    def _birth(self, j: int, kappa: float, x: np.ndarray) -> np.ndarray:
        """A small step from zero down the gradient: at zero itself the smooth problem is flat in (u_j, W_j)."""
        excess = max(self.pull[j] - 2 * kappa, self.tol * kappa)
        curvature = x @ x / self.loss.n  # above 0: the loss pulls at the feature
        return -0.2 * excess / curvature * self.gradient[j] / self.pull[j]

    def _descend(self, A, V, b, kappa: float, depth: int, accuracy: float):
        """L-BFGS on the factors, from V (k, C-1) split evenly: V and b at the minimum."""
        k, K = V.shape
        norms = np.linalg.norm(V, axis=1) ** (1 / depth)
        gates = np.repeat(norms[None], depth - 1, axis=0)
        W = V / np.maximum(norms, 1e-300)[:, None] ** (depth - 1)
        end_of_gates, end = (depth - 1) * k, (depth - 1 + K) * k

        def split(theta):
            return theta[:end_of_gates].reshape(depth - 1, k), theta[end_of_gates:end].reshape(k, K), theta[end:]

        def value(theta):
            gates, W, b = split(theta)
            product = gates.prod(axis=0)
            loss, R, _ = self.loss.value(A @ (product[:, None] * W) + (b if self.has_intercept else 0.0))
            G = A.T @ R
            inner = np.einsum("jk,jk->j", G, W)
            slopes = [inner * np.delete(gates, i, axis=0).prod(axis=0) for i in range(depth - 1)]
            gradient = np.concatenate([*slopes, (product[:, None] * G).ravel()]) + 2 * kappa * theta[:end]
            free = R.sum(axis=0) if self.has_intercept else np.empty(0)
            return loss + kappa * (theta[:end] @ theta[:end]), np.concatenate([gradient, free])

        theta = np.concatenate([gates.ravel(), W.ravel(), b if self.has_intercept else np.empty(0)])
        options = {"maxiter": 2000, "maxfun": 4000, "ftol": 0.0, "gtol": 2 * kappa * accuracy}
        gates, W, free = split(minimize(value, theta, jac=True, method="L-BFGS-B", options=options).x)
        return gates.prod(axis=0)[:, None] * W, free if self.has_intercept else b

    def _deepen(self, kappa: float) -> PathPoint:
        """The minimum of depth 3 below the present one, features that die left out; residual: the largest slope."""
        columns = list(self.V)
        if not columns:
            return self._point(kappa, {}, self.b)
        A = np.asfortranarray(self.X[:, columns], dtype=np.float64)
        start = self._coefficients(self.V)
        V, b = self._descend(A, start, self.b, kappa, self.depth, 0.01 * self.tol)
        norms = np.linalg.norm(V, axis=1)
        alive = norms > _DEAD * np.linalg.norm(start, axis=1).max()
        G = A.T @ self.loss.value(A @ V + b)[1]
        slopes = G[alive] + 2 * kappa * (V[alive].T * norms[alive] ** (2 / self.depth - 2)).T
        residual = float(np.linalg.norm(slopes, axis=1).max(initial=0.0) / (2 * kappa))
        return self._point(kappa, {j: v for j, v, a in zip(columns, V, alive, strict=True) if a}, b, residual)
