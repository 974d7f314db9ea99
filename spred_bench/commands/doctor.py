"""`spred-bench doctor`: whether this machine can do what the program offers, and what is missing for the rest."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from spred_bench.commands import preparing
from spred_bench.components import contract
from spred_bench.errors import Skip, UserError
from spred_bench.running import composition, listing, records
from spred_bench.system import locking, machine

_CORE = ("torch", "numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "hydra-core", "omegaconf", "pydantic")
_LITTLE_BYTES = 1 << 30
# A finding: (ok, note or PROBLEM, what, what about it).
Finding = tuple[str, str, str]
OK, NOTE, PROBLEM = "ok", "note", "PROBLEM"


def examine(results_dir: Path, data_dir: Path, report: Callable[[str], None] = print) -> int:
    """Print the findings as they come; exit code 1 if there is a problem, 0 if there are only notes."""
    problems = 0
    for title, findings in (
        ("Program", _program()),
        ("Machine", _machine()),
        ("Folders", _folders(results_dir, data_dir)),
        ("Solvers, tried on a small problem", _solvers()),
        ("Launchers", _launchers()),
        ("Data", _data(data_dir)),
    ):
        report(f"{title}")
        for level, what, text in findings:
            report(f"  {level:<8}{what:<26} {text}")
            problems += level == PROBLEM
    report(f"{problems} problem{'s' * (problems > 1)}" if problems else "nothing is in the way of running the tasks")
    return 1 if problems else 0


def _program() -> Iterator[Finding]:
    yield OK, "version", listing.version().replace("\n", ", ")
    for name in _CORE:
        try:
            yield OK, name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield PROBLEM, name, f"not installed: pip install {name}"
    try:
        import torch

        exact = torch.ones(64, 64) @ torch.ones(64, 64)
        good = bool((exact == 64).all())
        yield (OK, "torch computes", "") if good else (PROBLEM, "torch computes", "wrong results: reinstall torch")
    except Exception as error:
        yield PROBLEM, "torch computes", f"{type(error).__name__}: {error}".splitlines()[0]


def _machine() -> Iterator[Finding]:
    here = machine.environment()
    yield OK, "system", f"Python {here['python']}, {here['platform']}"
    memory = here.get("ram_bytes")
    size = f", {memory / 2**30:.0f} GiB" if memory else ""
    yield OK, "processor", f"{here['cpu']}, {here['cores_allowed']} of {here['cores']} cores usable{size}"
    threads = ", ".join(f"{name}={value}" for name, value in here["threads"].items() if value is not None)
    yield OK, "threads", threads or "not limited"
    for library in here["blas"]:
        words = [str(library[key]) for key in ("internal_api", "version", "architecture") if library.get(key)]
        yield OK, library.get("user_api", "library"), f"{' '.join(words)}, {library.get('num_threads')} threads"
    yield from _devices(here["cuda"])


def _devices(cuda: dict | None) -> Iterator[Finding]:
    if cuda is None:
        hint = "; an NVIDIA driver is there: install a CUDA build of torch" if shutil.which("nvidia-smi") else ""
        yield NOTE, "devices", f"cpu alone: device=auto takes it{hint}"
        return
    import torch

    for i, device in enumerate(cuda["devices"]):
        text = f"{device['name']}, {device['memory_bytes'] / 2**30:.0f} GiB, CUDA {cuda['version']}"
        try:
            torch.ones(8, device=f"cuda:{i}").sum().item()
            yield OK, f"cuda:{i}", text
        except RuntimeError as error:
            yield PROBLEM, f"cuda:{i}", f"{text}: {error}".splitlines()[0]


def _folders(results_dir: Path, data_dir: Path) -> Iterator[Finding]:
    existing = {}
    for name, folder in (("results_dir", results_dir), ("data_dir", data_dir)):
        existing[name] = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing[name]).free
        level, hint = (OK, "") if free > _LITTLE_BYTES else (NOTE, ": little for checkpoints and data")
        yield level, name, f"{folder} ({free / 2**30:.1f} GiB free{hint})"
    try:
        records.check_writable(results_dir)
    except UserError as error:
        yield PROBLEM, "writing", str(error)
        return
    with tempfile.TemporaryDirectory(dir=existing["results_dir"], prefix=".doctor-") as folder:
        with locking.held(Path(folder) / "lock"):
            by_kernel = not (Path(folder) / "lock-held").exists()
        yield OK, "locks", "of the file system" if by_kernel else "none in this file system: files stand for them"


def _solvers() -> Iterator[Finding]:
    import numpy as np

    from spred_bench.experiments.judging.isolation import solve_here
    from spred_bench.lasso import LassoProblem, lambda_max

    X = np.asfortranarray(np.random.default_rng(0).standard_normal((20, 10)))
    problem = LassoProblem(X, X[:, 0].copy(), 0.1 * lambda_max(X, X[:, 0]))
    for name in listing.groups().get("solver", []):
        try:
            (solver,) = _build("solver", name).values()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                status = solve_here(solver, problem, [1e-2], 20.0, "cpu")["status"]
            yield (OK, name, "") if status == "done" else (NOTE, name, f"did not solve the problem: {status}")
        except Skip as reason:
            yield NOTE, name, f"skipped: {reason}"
        except Exception as error:
            yield PROBLEM, name, f"{type(error).__name__}: {error}".splitlines()[0]


def _launchers() -> Iterator[Finding]:
    yield OK, "local_pool", ""
    for name, package, extra in (
        ("joblib", "hydra-joblib-launcher", "parallel"),
        ("submitit_local, slurm", "hydra-submitit-launcher", "hpc"),
    ):
        try:
            yield OK, name, f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield NOTE, name, f"not installed: pip install 'spred-bench[{extra}]'"
    if shutil.which("sbatch") is None:
        yield NOTE, "slurm", "no sbatch here: launcher=slurm works on a cluster's login node"


def _data(data_dir: Path) -> Iterator[Finding]:
    for name in listing.groups().get("data", []):
        try:
            for label, source in _build("data", name, data_dir).items():
                yield OK, label, preparing.state(source)
        except (UserError, Skip) as reason:
            yield NOTE, name, str(reason)


def _build(group: str, name: str, data_dir: Path = Path("data")) -> dict:
    """The components of a yaml as a task would get them, small."""
    specs = composition.resolved([f"{group}={name}", "scale=smoke"])[group]
    return contract.build_group(group, specs, {"data_dir": data_dir, "device": "cpu", "scale": "smoke", "seed": 0})
