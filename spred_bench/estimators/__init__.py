"""scikit-learn's interface to spred: linear models, a sparse classifier, a feature selector. Loaded on first use."""

from typing import TYPE_CHECKING

from spred_bench import lazy_names

if TYPE_CHECKING:
    from spred_bench.estimators.feature_selection import SpredClassifier as SpredClassifier
    from spred_bench.estimators.feature_selection import SpredFeatureSelector as SpredFeatureSelector
    from spred_bench.estimators.linear import SpredGroupLasso as SpredGroupLasso
    from spred_bench.estimators.linear import SpredLasso as SpredLasso

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "linear": ("SpredGroupLasso", "SpredLasso"),
        "feature_selection": ("SpredClassifier", "SpredFeatureSelector"),
    },
)
