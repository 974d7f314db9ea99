"""Run reference experiments and put their rows, manifests and figures under results/reference/<name>/.

    python scripts/make_reference.py landscape lasso_orthogonal
    python scripts/make_reference.py fig2_scaling -- solver.adelie.python=path/to/python
    python scripts/make_reference.py trainer_overhead factor_starts

Rows are only worth keeping when the committed code made them, so a tree with uncommitted changes is refused.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from spred_bench.running.sweeps.collecting import collect
from spred_bench.system import machine

ROOT = Path(__file__).parent.parent
# Networks and images of fig5_small.
SMALL = ("data=[cifar10]", "data.cifar10.n_train=6000", "model=[resnet9]")
# name: words of the command; the task is the first word's, or the experiment's. "+" begins a second command.
REFERENCES = {
    "theorems": ["task=theorems"],
    "landscape": ["task=landscape"],
    "lasso_orthogonal": ["task=lasso_orthogonal"],
    "lasso_scaling": ["task=lasso_scaling"],
    "fig2_scaling": ["experiment=fig2_scaling"],
    "fig2_many_targets": ["experiment=fig2_many_targets"],
    "fig2_classic": ["experiment=fig2_classic"],
    "fig2_headline": ["experiment=fig2_headline"],
    "fig2_million": ["experiment=fig2_million"],
    "fig3_peers": ["experiment=fig3_peers"],
    "fig3_growth": ["experiment=fig3_growth"],
    "fig3_paper": ["experiment=fig3_paper"],
    "fig3_photographs": ["experiment=fig3_photographs"],
    "fig4_mnist": ["experiment=fig4_mnist", "task.epochs=16"],
    "table1_genes": ["experiment=table1_genes"],
    "planted_genes": ["experiment=planted_genes"],
    "fig5_small": ["experiment=fig5_small", "+", "experiment=fig5_rates"],
    "fig7_histograms": ["experiment=fig7_histograms", *SMALL],
    "lottery_ticket": ["experiment=lottery_ticket", "method=[spred]", *SMALL],
    "pruning_variants": ["experiment=pruning_variants"],
    "pruning_rates": ["experiment=pruning_rates"],
    "target_sparsity": ["experiment=target_sparsity"],
    "fig4_mnist_rivals": ["experiment=fig4_mnist_rivals", "launcher=local_pool"],
}
# name: the script that writes the rows itself.
MEASUREMENTS = {
    "runner_overhead": "measure_overhead.py",
    "spred_overhead": "benchmark_spred_overhead.py",
    "gene_speed": "benchmark_genes.py",
    "encoder": "benchmark_encoder.py",
    "trainer_overhead": "benchmark_trainer.py",
    "factor_starts": "measure_starts.py",
    "warm_starts": "measure_warm_starts.py",
}


def main(words: list[str]) -> int:
    """Run each named reference (all of them when none is named); words after -- go to every command."""
    names, extra = _split(words, "--") if "--" in words else (words, [])
    known = [*REFERENCES, *MEASUREMENTS]
    for name in names or known:
        if name not in known:
            sys.exit(f"{name}: no such reference; known: {', '.join(known)}")
        state = machine.git_state(ROOT)
        if state is None or state["dirty"]:
            sys.exit("uncommitted changes: commit them first, so that the rows name the code that made them")
        if name in MEASUREMENTS:
            subprocess.run([sys.executable, Path(__file__).parent / MEASUREMENTS[name]], cwd=ROOT, check=True)
            continue
        folder = Path("results") / "reference-runs" / name
        for command in _split(REFERENCES[name], "+"):
            program = [sys.executable, "-m", "spred_bench", *command, f"results_dir={folder}", *extra]
            code = subprocess.run(program, cwd=ROOT).returncode
            if code not in (0, 1):
                return code
        _keep(ROOT / folder, ROOT / "results" / "reference" / name)
    return 0


def _split(words: list[str], separator: str) -> list[list[str]]:
    ends = [i for i, word in enumerate(words) if word == separator]
    return [words[start:end] for start, end in zip([0, *(i + 1 for i in ends)], [*ends, None], strict=True)]


def _keep(results: Path, target: Path) -> None:
    """Collected rows, manifests and figures of all runs below `results`, in one folder."""
    collect(results)
    target.mkdir(parents=True, exist_ok=True)
    (task,) = {path.parent.parent for path in results.glob("*/*/run.json")}
    for table in ("records.csv", "runs.csv"):
        shutil.copy(task / table, target / table)
    (target / "manifests").mkdir(exist_ok=True)
    for manifest in task.glob("*/run.json"):
        run = manifest.parent
        shutil.copy(manifest, target / "manifests" / f"{run.name}.json")
        for table in set(run.glob("*.csv")) - {run / "records.csv"}:
            (target / run.name).mkdir(exist_ok=True)
            shutil.copy(table, target / run.name / table.name)
        if (run / "dictionaries").is_dir():
            shutil.copytree(run / "dictionaries", target / run.name / "dictionaries", dirs_exist_ok=True)
    subprocess.run([sys.executable, "-m", "spred_bench", "plot", str(target)], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
