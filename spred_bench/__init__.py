"""spred-bench: solve L1 penalties with any gradient method, and compare solvers fairly (Ziyin & Wang, 2023).

The names below load torch on first use, so that importing the package, `--help` and `list` stay fast.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spred_bench.estimators import SpredClassifier as SpredClassifier
    from spred_bench.estimators import SpredFeatureSelector as SpredFeatureSelector
    from spred_bench.estimators import SpredGroupLasso as SpredGroupLasso
    from spred_bench.estimators import SpredLasso as SpredLasso
    from spred_bench.redundancy import check_optimizer as check_optimizer
    from spred_bench.redundancy import effective_weights as effective_weights
    from spred_bench.redundancy import merge as merge
    from spred_bench.redundancy import parameter_groups as parameter_groups
    from spred_bench.redundancy import reparametrize as reparametrize
    from spred_bench.sparse_coding import encode as encode
    from spred_bench.training import KappaSchedule as KappaSchedule
    from spred_bench.training import TargetSparsity as TargetSparsity

__version__ = "0.2.0.dev0"


def lazy_names(package: str, home: Mapping[str, Sequence[str]]) -> tuple[list[str], Callable[[str], Any]]:
    """`__all__` and `__getattr__` of a package whose names are loaded on first use (PEP 562).

    `home` is {submodule: names that it defines}.
    """
    module_of = {name: module for module, names in home.items() for name in names}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    return sorted(module_of), load


_NAMES, __getattr__ = lazy_names(
    __name__,
    {
        "redundancy": ("check_optimizer", "effective_weights", "merge", "parameter_groups", "reparametrize"),
        "estimators": ("SpredClassifier", "SpredFeatureSelector", "SpredGroupLasso", "SpredLasso"),
        "sparse_coding": ("encode",),
        "training": ("KappaSchedule", "TargetSparsity"),
    },
)
__all__ = ["__version__", *_NAMES]
