"""One convention for the strength: `kappa` is Eq. (3)'s, `kappa (|u|^2 + |v|^2) = 2 kappa |w|_1`.

Pure numbers in, pure numbers out; nothing here needs torch.
"""

import math
import warnings
from collections.abc import Iterable
from numbers import Integral

USELESS_WEIGHT_BUDGET = 14.0  # exp(-14) is about 1e-6, the threshold below which a weight counts as zero


def l1_strength(kappa: float) -> float:
    """Return the factor of `|w|_1` that `kappa (|u|^2 + |v|^2)` amounts to (Theorem 1)."""
    return 2.0 * nonnegative("kappa", kappa)


def kappa_from_l1_strength(strength: float) -> float:
    """Return the kappa whose penalty equals `strength * |w|_1`."""
    return nonnegative("strength", strength) / 2.0


def weight_decay_from_kappa(kappa: float) -> float:
    """Return torch's `weight_decay` for every factor: torch adds `wd/2 |p|^2`, so `2 kappa` at any depth."""
    return 2.0 * nonnegative("kappa", kappa)


def kappa_from_weight_decay(weight_decay: float) -> float:
    """Return the kappa that torch's (coupled) `weight_decay` on all factors means."""
    return nonnegative("weight_decay", weight_decay) / 2.0


def depth_strength(kappa: float, depth: int) -> float:
    """Return the factor of `sum |w|^(2/depth)` that `kappa sum_d |u_d|^2` amounts to: `kappa * depth`.

    By the inequality of arithmetic and geometric means; depth 2 is `l1_strength`. Non-convex in w beyond
    depth 2.
    """
    if not (isinstance(depth, Integral) and depth >= 2):
        raise ValueError(f"depth={depth!r} is not a redundant parametrization; use an integer of 2 or more")
    return depth * nonnegative("kappa", kappa)


def asymmetric_strengths(kappa: float, ratio: float) -> tuple[float, float]:
    """Return `(alpha, beta)` with `alpha beta = kappa^2` and `alpha / beta = ratio^2` (Theorem 1).

    `alpha |u|^2 + beta |v|^2` equals `2 kappa |w|_1` too; at its minima `sqrt(alpha) |u| = sqrt(beta) |v|`.
    """
    if not ratio > 0:
        raise ValueError(f"ratio={ratio} must be positive")
    return nonnegative("kappa", kappa) * ratio, kappa / ratio


def kappa_from_asymmetric(alpha: float, beta: float) -> float:
    """Return the kappa of `alpha |u|^2 + beta |v|^2`: `sqrt(alpha beta)` (Theorem 1)."""
    return math.sqrt(nonnegative("alpha", alpha) * nonnegative("beta", beta))


def kappa_from_lasso_alpha(alpha: float, loss: str = "half_mean", *, samples: int = 1, outputs: int = 1) -> float:
    """Return the kappa that makes a squared-error loss plus the penalty solve scikit-learn's `Lasso(alpha)`.

    scikit-learn minimises `1/(2n) |y - Xw|^2 + alpha |w|_1`. `loss` says what is minimised here, with n
    samples and k outputs: "half_mean" `1/(2nk)`, "mean" `1/(nk)` (torch's `MSELoss`), "half_sum" `1/2`,
    "sum" `1`, times the sum of squares. `samples` matters for the sums alone, `outputs` for the means
    alone.
    """
    return kappa_from_l1_strength(nonnegative("alpha", alpha) * _loss_scale(loss, samples, outputs))


def lasso_alpha(kappa: float, loss: str = "half_mean", *, samples: int = 1, outputs: int = 1) -> float:
    """Return scikit-learn's `Lasso(alpha)` for a kappa; the inverse of `kappa_from_lasso_alpha`."""
    return l1_strength(kappa) / _loss_scale(loss, samples, outputs)


def decay_budget(
    weight_decay: float, learning_rates: Iterable[float], *, momentum: float = 0.0, depth: int = 2
) -> float:
    """Return the exponent B of a planned SGD schedule: it shrinks a useless weight by `exp(-B)`.

    Each of the `depth` factors decays as `exp(-wd sum(lr) / (1 - momentum))`, so `B = depth * wd * sum(lr)
    / (1 - momentum)`. The off-balance part `u^2 - v^2` of a start fades as `exp(-2B/depth)`.
    `learning_rates` has one entry per step: the factors' own rates, after any multiplier. Adaptive methods
    rescale the decay; B does not hold for them. Where kappa ramps up, count each rate by its share of the
    final decay.

    Warns (UserWarning) when B is below 14: then no weight comes below 1e-6, whatever the loss does.
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum={momentum} must lie in [0, 1)")
    if not isinstance(learning_rates, Iterable):
        raise ValueError(f"learning_rates={learning_rates!r} must hold one rate per step, e.g. [0.1] * steps")
    kappa = kappa_from_weight_decay(weight_decay)
    budget = 2.0 * depth_strength(kappa, depth) * math.fsum(learning_rates) / (1.0 - momentum)
    if budget < USELESS_WEIGHT_BUDGET:
        warnings.warn(
            f"decay budget {budget:.3g} is below {USELESS_WEIGHT_BUDGET:g}: useless weights shrink by "
            f"{math.exp(-budget):.1e} only; raise kappa, the learning rate or the number of steps",
            stacklevel=2,
        )
    return budget


def _loss_scale(loss: str, samples: int, outputs: int) -> float:
    """Return how many times scikit-learn's `1/(2n) * (sum of squares)` the named loss is."""
    for name, count in (("samples", samples), ("outputs", outputs)):
        if not count >= 1:
            raise ValueError(f"{name}={count} must be at least 1")
    scales = {"half_mean": 1.0 / outputs, "mean": 2.0 / outputs, "half_sum": samples, "sum": 2.0 * samples}
    if loss not in scales:
        raise ValueError(f"loss='{loss}' is unknown; use one of {', '.join(scales)}")
    return scales[loss]


def nonnegative(name: str, value: float) -> float:
    """Return `value`; ValueError, naming it, unless it is a finite number of at least 0."""
    try:
        fine = bool(value >= 0) and math.isfinite(value)
    except (TypeError, ValueError, RuntimeError):  # text, None, several numbers
        fine = False
    if not fine:
        raise ValueError(f"{name}={value!r} must be a finite number >= 0")
    return value
