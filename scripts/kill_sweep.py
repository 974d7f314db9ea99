"""Kill a real sweep at random, then let it finish: `python scripts/kill_sweep.py [runs] [kills]`.

The long version of tests/test_sweep_kills.py, with the command line itself: kills hit the processes of single runs and,
now and then, the sweep. Prints what it did; exit code 0 if the rows are those of a sweep that nobody disturbed.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from spred_bench.running.sweeps.collecting import collect

SWEEP = ["launcher=local_pool", "hydra.launcher.n_jobs=4", "task=landscape", "scale=smoke", "device=cpu"]


def start(folder: Path, n_runs: int) -> subprocess.Popen:
    """The sweep as a process: `n_runs` strengths of the landscape."""
    values = ",".join(f"{(i + 1) / n_runs:.6g}" for i in range(n_runs))
    command = [sys.executable, "-m", "spred_bench", *SWEEP, f"results_dir={folder}", f"kappa={values}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def at_work(folder: Path) -> list[int]:
    """Process ids of the runs that are being worked on: their locks say so."""
    owners = [path.read_text().split() for path in folder.glob("landscape/*/.lock")]
    return [int(owner[1]) for owner in owners if len(owner) == 2]


def disturb(folder: Path, n_runs: int, n_kills: int, chance: random.Random) -> tuple[int, int]:
    """Start the sweep again and again until `n_kills` have hit; (kills of runs, kills of sweeps)."""
    of_runs = of_sweeps = 0
    while of_runs + of_sweeps < n_kills:
        sweep = start(folder, n_runs)
        while sweep.poll() is None and of_runs + of_sweeps < n_kills:
            time.sleep(chance.uniform(0, 0.1))
            if chance.random() < 0.02 and at_work(folder):
                sweep.send_signal(signal.SIGKILL)
                of_sweeps += 1
            elif live := at_work(folder):
                of_runs += kill(chance.choice(live))
        if sweep.wait() == 0:
            break
    return of_runs, of_sweeps


def kill(pid: int) -> bool:
    """Kill a run of ours; False where there is none of that number."""
    try:
        # Only a process of ours: a lock may name one that is gone, and its number may have been given away.
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"forkserver" not in words:
            return False
        os.kill(pid, signal.SIGKILL)
    except (OSError, ProcessLookupError):
        return False
    return True


def main() -> int:
    """Compare the rows of a disturbed sweep with those of one left alone."""
    n_runs, n_kills = (int(word) for word in (sys.argv[1:] + ["200", "100"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        calm, rough = Path(name) / "calm", Path(name) / "rough"
        print("undisturbed:", start(calm, n_runs).wait())
        of_runs, of_sweeps = disturb(rough, n_runs, n_kills, random.Random(0))
        again = 0
        while (code := start(rough, n_runs).wait()) != 0 and again < 20:
            again += 1
        print(f"{of_runs} runs and {of_sweeps} sweeps killed; repeated {again + 1} times until code {code}")
        tables = []
        for folder in (calm, rough):
            print(*collect(folder))
            tables.append((folder / "landscape" / "records.csv").read_bytes())
        duplicates = pd.read_csv(rough / "landscape" / "records.csv").duplicated().sum()
        print(f"rows identical: {tables[0] == tables[1]}; duplicates: {duplicates}")
        return 0 if tables[0] == tables[1] else 1


if __name__ == "__main__":
    sys.exit(main())
