"""Pools of threads of different libraries on the same cores.

NumPy's BLAS and torch bring a pool each. The threads of a pool keep looking for work for a while after the last they
had (OpenBLAS for 2^26 ticks of the clock, some hundredths of a second), and whoever computes meanwhile shares his cores
with them: a lasso of 30 ms took 80 ms after a product in NumPy.
"""

import contextlib
import sys
import time
from functools import lru_cache

_UNTIL_ASLEEP_S = 0.1


@lru_cache(maxsize=1)
def _blas_pools(n_modules: int):
    """The pools of every BLAS that is loaded. None without threadpoolctl.

    Looking takes milliseconds: it is done again only where a module was imported since, which may have brought a BLAS.
    """
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def one_thread_for_numpy():
    """Context in which every BLAS (NumPy's, SciPy's, SPAMS's) has one thread, so that its pool stays asleep."""
    pools = _blas_pools(len(sys.modules))
    return contextlib.nullcontext() if pools is None else pools.limit(limits=1)


def wait_for_idle_pools() -> None:
    """Wait until the threads of pools that have nothing to do are asleep."""
    time.sleep(_UNTIL_ASLEEP_S)
