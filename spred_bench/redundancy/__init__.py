"""The paper's theorems, once: an L1 penalty is a redundant parametrization plus weight decay.

Minimising `L(u * v) + kappa (|u|^2 + |v|^2)` has the minima of `L(w) + 2 kappa |w|_1`, global and local
(Theorems 1 and 2). Names are resolved on first use, so that the conversions in `strengths` work without
loading torch.
"""

from typing import TYPE_CHECKING

from spred_bench import lazy_names

if TYPE_CHECKING:
    from spred_bench.redundancy.diagnostics import imbalance as imbalance
    from spred_bench.redundancy.diagnostics import sign_locked as sign_locked
    from spred_bench.redundancy.parametrization import effective_weights as effective_weights
    from spred_bench.redundancy.parametrization import factors_of as factors_of
    from spred_bench.redundancy.parametrization import magnitudes as magnitudes
    from spred_bench.redundancy.parametrization import merge as merge
    from spred_bench.redundancy.parametrization import reparametrize as reparametrize
    from spred_bench.redundancy.penalties import check_optimizer as check_optimizer
    from spred_bench.redundancy.penalties import parameter_groups as parameter_groups
    from spred_bench.redundancy.penalties import penalty as penalty
    from spred_bench.redundancy.starts import STARTS as STARTS
    from spred_bench.redundancy.strengths import asymmetric_strengths as asymmetric_strengths
    from spred_bench.redundancy.strengths import decay_budget as decay_budget
    from spred_bench.redundancy.strengths import depth_strength as depth_strength
    from spred_bench.redundancy.strengths import kappa_from_asymmetric as kappa_from_asymmetric
    from spred_bench.redundancy.strengths import kappa_from_l1_strength as kappa_from_l1_strength
    from spred_bench.redundancy.strengths import kappa_from_lasso_alpha as kappa_from_lasso_alpha
    from spred_bench.redundancy.strengths import kappa_from_weight_decay as kappa_from_weight_decay
    from spred_bench.redundancy.strengths import l1_strength as l1_strength
    from spred_bench.redundancy.strengths import lasso_alpha as lasso_alpha
    from spred_bench.redundancy.strengths import weight_decay_from_kappa as weight_decay_from_kappa

__all__, __getattr__ = lazy_names(
    __name__,
    {
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
    },
)
