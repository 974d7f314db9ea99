"""What selecting genes costs: a whole path of spred's linear model, and one training of it with the network beside it,
against one fit of HSIC-Lasso (50 features, B = 20).

    python scripts/benchmark_genes.py [--repeats 5] [--data-dir data] [--output results/reference/gene_speed]

Microarray sets where their files are (<data-dir>/genes/*.mat), and simulated expression data of 300 samples. Every fit
is in a process of its own, imports and a first small fit outside the clock; the methods take turns, so that a busy
machine disturbs both. Writes records.csv, run.json and the figure.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from spred_bench import __version__
from spred_bench.reporting import plots
from spred_bench.reporting.rows import FIRST_COLUMNS, LAST_COLUMNS
from spred_bench.system import machine

COLUMNS = [*FIRST_COLUMNS, "n_samples", "n_features", "n_classes", "repeat", *LAST_COLUMNS]
FILES = ("ALLAML", "GLIOMA")
SIMULATED = (5_000, 20_000, 55_000)
N_SAMPLES, N_CLASSES, N_MODULES, N_INFORMATIVE = 300, 4, 50, 30


def problem(name: str, data_dir: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(X (n, d) float32, standardised; y): a file by its name, or a simulation by its number of features."""
    if name in FILES:
        from scipy.io import loadmat

        content = loadmat(data_dir / "genes" / f"{name}.mat")
        X, y = content["X"].astype(np.float32), np.unique(content["Y"].ravel(), return_inverse=True)[1]
    else:
        X, y = simulated(int(name), seed)
    X -= X.mean(axis=0)
    X /= np.maximum(X.std(axis=0), 1e-12)
    return X, y


def simulated(n_features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log expression: genes share the activity of modules, as measured genes do; some differ between the classes."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(N_SAMPLES) % N_CLASSES)
    activity = rng.standard_normal((N_SAMPLES, N_MODULES), dtype=np.float32)
    loadings = rng.standard_normal((N_MODULES, n_features), dtype=np.float32) / np.float32(N_MODULES**0.5)
    X = activity @ loadings
    X += rng.standard_normal(X.shape, dtype=np.float32)
    X[:, :N_INFORMATIVE] += rng.standard_normal((N_CLASSES, N_INFORMATIVE), dtype=np.float32)[y]
    return X, y


def spred(X, y, n_points: int = 12) -> dict:
    """The path of `selector=spred_linear`: features of its last point, the largest residual of all."""
    from spred_bench.lasso.second_order.feature_path import FeaturePath

    path = FeaturePath(X, y, int(y.max()) + 1)
    points = [path.at(kappa) for kappa in (path.kappa_max * np.geomspace(0.95, 0.01, n_points)).tolist()]
    return {"n_selected": len(points[-1].features), "residual": max(point.residual for point in points)}


def spred_mlp(X, y) -> dict:
    """One training of `selector=spred_linear_mlp`, at its sizes of scale=cpu."""
    from spred_bench.components.selectors import Split
    from spred_bench.components.selectors.spred_sgd import Selector

    selector = Selector(hidden=[32, 32], kappas=[0.05], learning_rates=[0.1], max_steps=250)
    few = slice(None, None, 5)  # the dev part is looked at, and decides nothing
    (point,) = selector.select(Split(X, y, X[few], y[few]), int(y.max()) + 1, 0, "cpu")
    return {"n_selected": len(point.features)}


def hsic_lasso(X, y) -> dict:
    """One fit of 50 features, on all processors, as is the package's default."""
    from spred_bench.components.selectors.hsic_lasso import rank

    return {"n_selected": len(rank(X, y, 50, 20, n_jobs=-1))}


def hsic_lasso_once(X, y) -> dict:
    """The same with the samples divided into blocks once instead of three times: a third of the work and memory."""
    from spred_bench.components.selectors.hsic_lasso import rank

    return {"n_selected": len(rank(X, y, 50, 20, n_jobs=-1, permutations=1))}


METHODS = {
    "spred_linear": spred,
    "spred_linear_mlp": spred_mlp,
    "hsic_lasso": hsic_lasso,
    "hsic_lasso_once": hsic_lasso_once,
}
# Peak memory of pyHSICLasso, measured: so many bytes for each feature and kernel value, n x 20 of them a division.
_HSIC_BYTES = 17
_DIVISIONS = {"hsic_lasso": 3, "hsic_lasso_once": 1}


def fit_here(method: str, name: str, data_dir: Path, seed: int) -> dict:
    """{metric: value} of one fit in this process, which is to be a fresh one."""
    X, y = problem(name, data_dir, seed)
    METHODS[method](np.ascontiguousarray(X[:40, :30]), y[:40])
    start = time.perf_counter()
    found = METHODS[method](X, y)
    shape = {"n_samples": len(X), "n_features": X.shape[1], "n_classes": int(y.max()) + 1}
    return {**shape, "fit_s": time.perf_counter() - start, "peak_bytes": machine.peak_memory_bytes(), **found}


def lacking(method: str, name: str) -> str:
    """Why a fit would need more memory than there is, a sentence; "" where it would not."""
    needed = _HSIC_BYTES * N_SAMPLES * 20 * _DIVISIONS.get(method, 0) * (0 if name in FILES else int(name))
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return ""
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    reason = f"needs about {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB were free"
    return reason if needed > 0.8 * free else ""  # a fifth for whoever else computes here


def fit_apart(method: str, name: str, options, seed: int) -> dict:
    """The same in a child process."""
    words = ["--fit", method, name, "--seed", str(seed), "--data-dir", str(options.data_dir)]
    run = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{method} on {name} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIMULATED), help="features of the simulated data")
    parser.add_argument("--output", type=Path, default=Path("results/reference/gene_speed"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", nargs=2, metavar=("METHOD", "PROBLEM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(fit_here(*options.fit, options.data_dir, options.seed)))
        return
    options.output.mkdir(parents=True, exist_ok=True)
    start, rows = datetime.now(UTC).isoformat(timespec="seconds"), []
    present = [name for name in FILES if (options.data_dir / "genes" / f"{name}.mat").exists()]
    for name in [*present, *map(str, options.sizes)]:
        for repeat in range(options.repeats):
            for method in options.methods:
                about = {"task": "gene_speed", "method": method, "seed": options.seed + repeat, "repeat": repeat}
                if reason := lacking(method, name):
                    print(f"simulated  {name:>6} {method:18} {reason}", flush=True)
                    left_out = {"dataset": "simulated", "n_features": name, "status": "skipped", "note": reason}
                    rows.append({**about, **left_out})
                    continue
                found = fit_apart(method, name, options, options.seed + repeat)
                keys = {key: found.pop(key) for key in ("n_samples", "n_features", "n_classes")}
                dataset = name if name in FILES else "simulated"
                print(f"{dataset:10} {keys['n_features']:6} {method:18} {found['fit_s']:8.3f} s", flush=True)
                about |= {"dataset": dataset, **keys, "status": "done"}
                rows += [{**about, "metric": metric, "value": value} for metric, value in found.items()]
    with open(options.output / "records.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    stamp = {"spred_bench": __version__, "git": machine.git_state(Path(__file__).parent), "start": start}
    (options.output / "run.json").write_text(
        json.dumps(stamp | {"environment": machine.environment()}, indent=2) + "\n"
    )
    plots.draw_file(options.output)


if __name__ == "__main__":
    main()
