"""How the loops of the lasso solvers are compiled."""

from functools import partial

from spred_bench.system import jit

# Sums may be reordered, so that they vectorise; infinities and NaN keep their meaning.
compiled = partial(jit.compiled, fastmath={"reassoc", "contract", "nsz"})
