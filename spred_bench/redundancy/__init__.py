"""The paper's theorems, once: an L1 penalty is a redundant parametrization plus weight decay.

Minimising `L(u * v) + kappa (|u|^2 + |v|^2)` has the minima of `L(w) + 2 kappa |w|_1`, global and local
(Theorems 1 and 2). Names are resolved on first use, so that the conversions in `strengths` work without
loading torch.
"""

from importlib import import_module

_HOME = {
    "parametrization": ("reparametrize", "merge", "effective_weights", "magnitudes", "factors_of"),
    "penalties": ("parameter_groups", "penalty", "check_optimizer"),
    "diagnostics": ("imbalance", "sign_locked"),
    "starts": ("STARTS",),
    "strengths": (
        "asymmetric_strengths",
        "decay_budget",
        "depth_strength",
        "kappa_from_asymmetric",
        "kappa_from_l1_strength",
        "kappa_from_lasso_alpha",
        "kappa_from_weight_decay",
        "l1_strength",
        "lasso_alpha",
        "weight_decay_from_kappa",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
