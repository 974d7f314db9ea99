"""Memory that a process frees and takes again."""

import ctypes

# glibc's <malloc.h>.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_FROM_HEAP = 32 * 2**20  # bytes; more glibc does not take
_KEPT = 2**30  # bytes


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, up to a GiB, for its next arrays. False where that is not known: not glibc.

    A training step takes and frees the same activations again and again. Given back to the system each time, they are
    new pages at every step: an eighth of the processor time of a small network.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP) and mallopt(_M_TRIM_THRESHOLD, _KEPT))
