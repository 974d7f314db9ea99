"""How many threads a run has: said, or the cores that are free; and how every library gets them."""

import contextlib
import os
import sys
import time
from pathlib import Path

# What libraries read when they are loaded, here and in processes started from here.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_SAMPLE_S = 0.1


def default_count() -> int:
    """Threads of a run where nobody says how many: OMP_NUM_THREADS where it is set, else the cores that are free now.

    A library that takes a busy core waits for it with its other threads spinning, which can take ten times as long.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if given.isdecimal() and int(given) > 0:
        return int(given)
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    try:
        before = _ticks(allowed)
        time.sleep(_SAMPLE_S)
        spent = [(total - t, idle - i) for (total, idle), (t, i) in zip(_ticks(allowed), before, strict=True)]
    except (OSError, ValueError, KeyError):  # not Linux
        return len(allowed)
    free = sum(idle / total if total else 1.0 for total, idle in spent)
    return max(round(free), 1)


def _ticks(cores) -> list[tuple[int, int]]:
    """(all, idle) ticks of the clock of each core since the start of the machine."""
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu"))
    fields = {words[0]: [int(word) for word in words[1:9]] for words in lines}
    return [(sum(fields[f"cpu{core}"]), sum(fields[f"cpu{core}"][3:5])) for core in cores]


def use(count: int) -> None:
    """Give every library `count` threads: torch, BLAS, OpenMP, numba; those loaded later, and child processes, too."""
    # numba reads its variable again later, and refuses another number once its threads run.
    settable = [name for name in VARIABLES if not ("numba" in sys.modules and name.startswith("NUMBA"))]
    os.environ.update(dict.fromkeys(settable, str(count)))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if numba := sys.modules.get("numba"):
        numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(count)
