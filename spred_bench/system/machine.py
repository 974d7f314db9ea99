"""The machine that a time was measured on: versions, processor, threads, memory, the state of the code.

Importing this module does not load torch; it is consulted only where the process has loaded it already.
"""

import contextlib
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from spred_bench.system.thread_count import VARIABLES

PACKAGES = (
    *(
        "spred-bench",
        "torch",
        "torchvision",
        "numpy",
        "scipy",
        "pandas",
        "scikit-learn",
        "hydra-core",
        "omegaconf",
    ),
    *("matplotlib", "pydantic", "GEOparse", "celer", "skglm", "python-glmnet", "spams-bin", "pyHSICLasso", "lassonet"),
)


def environment() -> dict:
    """What a time depends on: versions, processor, memory, threads, CUDA. Plain data; unknown is None.

    The host name is left out: a manifest is meant to be published.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _versions(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_bytes": _ram_bytes(),
        "threads": _threads(),
        "blas": _blas(),
        "cuda": _cuda(),
    }


def git_state(path: str | Path = ".") -> dict | None:
    """`{"sha": ..., "dirty": bool}` of the repository that holds `path`; None outside one or without git.

    dirty: anything but results differs from the commit, so that one result does not make the next one dirty.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        return {
            "sha": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--", ":/", ":(exclude,top)results")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_bytes(device=None) -> int | None:
    """Largest memory so far: of the process, or what torch allocated on `device` if that is CUDA."""
    if str(device).startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":  # not getrusage: there a process begins with the peak of the one that started it
        return _status_bytes("VmHWM")
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # the BSDs count in KiB


def reset_peak() -> int | None:
    """Memory of the process now, in bytes, and the start of a new peak; None where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_bytes("VmRSS")
    except OSError:
        return None


def added_bytes(before: int | None) -> int | None:
    """Largest memory since `reset_peak`, which returned `before`, above what there was then."""
    return None if before is None else max(_status_bytes("VmHWM") - before, 0)


def _status_bytes(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", text).group(1)) * 1024


def _versions() -> dict[str, str | None]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _cpu_model() -> str | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _ram_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _threads() -> dict[str, str | int | None]:
    torch = sys.modules.get("torch")
    threads = {name: os.environ.get(name) for name in VARIABLES}
    return threads | {"torch": torch.get_num_threads() if torch else None}


def _blas() -> list[dict]:
    """The BLAS and OpenMP libraries loaded so far, with their thread counts; file paths left out."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    wanted = ("user_api", "internal_api", "version", "num_threads", "architecture", "threading_layer")
    return [{key: library[key] for key in wanted if key in library} for library in threadpool_info()]


def _cuda() -> dict | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "version": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "devices": [{"name": d.name, "memory_bytes": d.total_memory} for d in devices],
        "tf32": torch.backends.cuda.matmul.allow_tf32,
    }
