"""Time the sparse encoder beside SPAMS and scikit-learn: `python scripts/benchmark_encoder.py [output folder]`.

10,000 whitened patches of natural images (data/natural_images), a random dictionary of 2048 unit atoms, kappa = 1.4
(about 55 active codes a patch), float32, scikit-learn in float64. Methods take turns; scikit-learn codes every
twentieth patch and its time is multiplied. The gap is the largest over patches, computed here in float64 for everybody.
Writes records.csv and run.json (default folder: results/reference/encoder). About a minute on two idle cores.
"""

import csv
import json
import os
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import spams
from scipy import sparse
from sklearn.decomposition import sparse_encode

from spred_bench import __version__
from spred_bench.components.data.patch_folder import Source
from spred_bench.sparse_coding import encode, objective
from spred_bench.system import machine

COLUMNS = ["task", "method", "n_patches", "n_atoms", "kappa", "l1_strength", "repeat", "metric", "value", "status"]
N_PATCHES, N_ATOMS, KAPPA, REPEATS, SHARE = 10_000, 2048, 1.4, 3, 20
THREADS = len(os.sched_getaffinity(0))


def spred(X, B, gap):
    return encode(X, B, KAPPA, gap=gap).codes


def by_spams(X, B):
    options = {"lambda1": KAPPA, "mode": 2, "numThreads": THREADS}
    return sparse.csr_matrix(spams.lasso(np.asfortranarray(X.T), np.asfortranarray(B), **options).T)


def by_sklearn(X, B):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # In float32 its coordinate descent does not reach its own tolerance and is slower.
        return sparse.csr_matrix(sparse_encode(np.float64(X), np.float64(B.T), algorithm="lasso_cd", alpha=KAPPA))


# name: (function, patches it is given one of)
METHODS = {
    "spred, gap 1e-4": (lambda X, B: spred(X, B, 1e-4), 1),
    "spred, gap 1e-6": (lambda X, B: spred(X, B, 1e-6), 1),
    "spams": (by_spams, 1),
    "sklearn_cd": (by_sklearn, SHARE),
}


def worst_gap(X, B, S) -> float:
    """Largest gap of 1/2 |x - B s|^2 + kappa |s|_1 over patches, as a fraction of |x|^2 / 2."""
    worst, B = 0.0, np.float64(B)
    for at in range(0, len(X), 1000):
        x, s = np.float64(X[at : at + 1000]), np.float64(S[at : at + 1000].toarray())
        r = x - s @ B.T
        c = np.minimum(1, KAPPA / np.maximum(np.abs(r @ B).max(1), KAPPA))[:, None]
        primal = 0.5 * (r**2).sum(1) + KAPPA * np.abs(s).sum(1)
        dual = 0.5 * (x**2).sum(1) - 0.5 * ((x - c * r) ** 2).sum(1)
        worst = max(worst, float(((primal - dual) / np.maximum(0.5 * (x**2).sum(1), 1e-30)).max()))
    return worst


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "results/reference/encoder")
    target.mkdir(parents=True, exist_ok=True)
    source = Source(path="natural_images", n_patches=N_PATCHES, n_held_out=100, data_dir=Path("data"))
    X = source.load(0).train
    B = np.random.default_rng(0).standard_normal((X.shape[1], N_ATOMS)).astype(np.float32)
    B /= np.linalg.norm(B, axis=0)
    spred(X[:100], B, 1e-4)  # compilation is not what is measured
    start, rows = datetime.now(UTC).isoformat(timespec="seconds"), []
    for repeat in range(REPEATS):
        for method, (solve, share) in METHODS.items():
            given = np.ascontiguousarray(X[::share])
            cpu, wall = time.process_time(), time.perf_counter()
            S = solve(given, B)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            values = {"time_s": share * wall, "cpu_s": share * cpu}
            if repeat == 0:
                values |= {"worst_gap": worst_gap(given, B, S), "active_codes": S.nnz / len(given)}
                values["objective"] = objective(given, B, S, KAPPA)
            print(f"{method:16}", *(f"{metric} {value:.4g}" for metric, value in values.items()), flush=True)
            same = {"task": "encoder", "method": method, "n_patches": len(given), "n_atoms": N_ATOMS, "kappa": KAPPA}
            for metric, value in values.items():
                row = {"l1_strength": 2 * KAPPA, "repeat": repeat, "metric": metric, "value": value, "status": "done"}
                rows.append(same | row)
    with open(target / "records.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    stamp = {"spred_bench": __version__, "git": machine.git_state(Path(__file__).parent), "start": start}
    (target / "run.json").write_text(json.dumps(stamp | {"environment": machine.environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
