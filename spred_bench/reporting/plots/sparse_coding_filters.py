"""Fig. 3, the filters: the atoms of spred and of the best peer, sorted, and where their Gabor fits lie.

Reads the dictionaries that a run keeps beside its rows.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from spred_bench.reporting.labels import label
from spred_bench.reporting.plots._style import colours
from spred_bench.reporting.tables.learning_curves import PROBLEM, best_of_both, of_problem

TASKS = ("sparse_coding",)
_GABOR_LIKE = 0.8
_MOST_SHOWN = 400


def draw(records: pd.DataFrame):
    """A mosaic and a polar scatter for each of two learners, at the largest number of atoms and of patches."""
    import matplotlib.pyplot as plt

    shown = [(row, kept) for row in _best(records) if (kept := _load(records.attrs.get("folder"), row)) is not None]
    if not shown:
        return None
    figure = plt.figure(figsize=(4.2 * len(shown), 6.2), layout="constrained")
    grid = figure.add_gridspec(2, len(shown), height_ratios=(2.2, 1))
    palette = colours("learner", records["method"].unique())
    for column, (row, kept) in enumerate(shown):
        above, below = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column], projection="polar")
        picture, n_shown = _mosaic(kept)
        above.imshow(picture, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        above.set_axis_off()
        of_all = "" if n_shown == kept["dictionary"].shape[1] else f", {n_shown} of them"
        above.set_title(f"{label('learner', row['method'])}, {row['dataset']}, k = {row['n_atoms']}{of_all}")
        _coverage(below, kept, palette[row["method"]])
    return figure


def _best(records: pd.DataFrame) -> list[pd.Series]:
    """The row that names the dictionary, of spred's best learner and of the best peer, on the largest problem."""
    kept = records[records["metric"] == "dictionary_atoms"]
    if kept.empty:
        return []
    largest = kept.sort_values(["n_atoms", "n_patches"], kind="stable").iloc[-1]
    problem = list(largest[PROBLEM])
    kept = of_problem(kept, problem)
    best = best_of_both(of_problem(records, problem))
    return [rows.iloc[0] for method in best if len(rows := kept[kept["method"] == method])]


def _load(folder: Path | None, row: pd.Series) -> dict | None:
    """The dictionary's file, in the folder of its run, which holds the rows or lies beside them; None if not there."""
    for path in [folder.parent / row["file"], folder / row["file"]] if folder is not None else []:
        if path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
    return None


def _mosaic(kept: dict) -> tuple[np.ndarray, int]:
    """(framed tiles in [-1, 1], how many): rows by frequency, each by orientation; what is no Gabor comes last."""
    like = kept["r_squared"] >= _GABOR_LIKE
    order = np.lexsort((kept["frequency"], ~like))
    order = order[np.round(np.linspace(0, len(order) - 1, min(len(order), _MOST_SHOWN))).astype(int)]
    across = int(np.ceil(np.sqrt(len(order))))
    for at in range(0, len(order), across):
        row = order[at : at + across]
        order[at : at + across] = row[np.lexsort((kept["orientation"][row], ~like[row]))]
    atoms = kept["dictionary"].astype(np.float64).T[order]
    atoms /= np.abs(atoms).max(axis=1, keepdims=True)
    side = round(atoms.shape[1] ** 0.5)
    tiles = np.ones((-(-len(atoms) // across) * across, side + 2, side + 2))
    tiles[: len(atoms), 1:-1, 1:-1] = atoms.reshape(-1, side, side)
    picture = tiles.reshape(-1, across, side + 2, side + 2).transpose(0, 2, 1, 3)
    return picture.reshape(-1, across * (side + 2)), len(atoms)


def _coverage(ax, kept: dict, colour: str) -> None:
    """Orientation and frequency of the Gabor-like atoms."""
    like = (kept["r_squared"] >= _GABOR_LIKE) & (kept["usage"] > 0)
    ax.scatter(kept["orientation"][like], kept["frequency"][like], s=5, color=colour, alpha=0.6, linewidths=0)
    ax.set(thetamin=0, thetamax=180, rmax=0.5, rticks=[0.25, 0.5])
    ax.set_xlabel(f"orientation and frequency (cycles a pixel), {like.mean():.0%} Gabor-like")
