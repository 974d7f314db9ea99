"""spred-bench: solve L1 penalties with any gradient method, and compare honestly (Ziyin & Wang, 2023).

The names below load torch on first use, so that importing the package, `--help` and `list` stay fast.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "reparametrize": "redundancy",
    "parameter_groups": "redundancy",
    "effective_weights": "redundancy",
    "merge": "redundancy",
    "SpredLasso": "estimators.linear",
    "SpredGroupLasso": "estimators.linear",
    "SpredClassifier": "estimators.feature_selection",
    "SpredFeatureSelector": "estimators.feature_selection",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(f"spred_bench.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'spred_bench' has no attribute '{name}'")
