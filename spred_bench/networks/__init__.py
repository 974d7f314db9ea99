"""A trained sparse network: its sparsity, masks, a physically smaller copy, a warm start. Loaded on first use.

The modules `export` (files of a sparse network) and `masks` (which weights stay) are used by their own names.
"""

from typing import TYPE_CHECKING

from spred_bench import lazy_names

if TYPE_CHECKING:
    from spred_bench.networks.shrinking import load_shrunk as load_shrunk
    from spred_bench.networks.shrinking import shrink as shrink
    from spred_bench.networks.sparsity import compression_ratio as compression_ratio
    from spred_bench.networks.sparsity import dead_nodes as dead_nodes
    from spred_bench.networks.sparsity import dead_nodes_relative as dead_nodes_relative
    from spred_bench.networks.sparsity import effective_rank as effective_rank
    from spred_bench.networks.sparsity import n_parameters as n_parameters
    from spred_bench.networks.sparsity import n_zeros as n_zeros
    from spred_bench.networks.sparsity import node_strengths as node_strengths
    from spred_bench.networks.sparsity import weight_sparsity as weight_sparsity
    from spred_bench.networks.sparsity import weights_of as weights_of
    from spred_bench.networks.warm_start import load_dense as load_dense

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "shrinking": ("load_shrunk", "shrink"),
        "sparsity": (
            "compression_ratio",
            "dead_nodes",
            "dead_nodes_relative",
            "effective_rank",
            "n_parameters",
            "n_zeros",
            "node_strengths",
            "weight_sparsity",
            "weights_of",
        ),
        "warm_start": ("load_dense",),
    },
)
