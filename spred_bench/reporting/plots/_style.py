"""One look for all figures: colour-blind safe (Okabe & Ito 2008), readable at print size, no clutter."""

import numpy as np

from spred_bench.reporting.labels import declaration

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C564B",
    "#7F7F7F",
    "#B8860B",
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")

RC = {
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.5,
    "pdf.fonttype": 42,
}

# Curves are drawn as the median over seeds with this band of quantiles.
BAND = (0.2, 0.8)


def colours(group: str, names) -> dict[str, str]:
    """One colour per component of a group: its own where it declares one that is free, else the next free one; they
    repeat after ten."""
    names = list(dict.fromkeys(names))
    taken: dict[str, int] = {}
    for name in names:
        wanted = declaration(group, name).colour
        if wanted is not None and wanted not in taken.values():
            taken[name] = wanted
    free = [index for index in range(len(COLOURS)) if index not in taken.values()] or range(len(COLOURS))
    others = [name for name in names if name not in taken]
    taken |= {name: free[i % len(free)] for i, name in enumerate(others)}
    return {name: COLOURS[taken[name]] for name in names}


def spread(values, most: int) -> list:
    """All of the sorted `values`, or `most` of them, evenly from the first to the last: what a figure has room for."""
    values = sorted(values)
    if len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]


def legend_entries(axes) -> tuple[list, list[str]]:
    """(handles, labels) of all panels, each label once: what is drawn in any panel is in the legend."""
    found: dict = {}
    for ax in np.ravel(axes):
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def label_ends(ax, makes_room: bool = True, apart: float = 0.09) -> None:
    """Write the label of every line beside its right end, moved up until they are `apart` (as parts of the axes).

    makes_room: the layout widens for the labels; False where the place to the right is free.
    """
    ends = []
    for line in ax.get_lines():
        x, y = (np.asarray(values, float) for values in line.get_data())
        seen = np.isfinite(x) & np.isfinite(y)
        if seen.any() and not line.get_label().startswith("_"):
            at = (x[seen][-1], y[seen][-1])
            height = ax.transAxes.inverted().transform(ax.transData.transform(at))[1]
            ends.append((height, line))
    height = -np.inf
    for wanted, line in sorted(ends, key=lambda end: end[0]):
        height = max(wanted, height + apart)
        style = {"color": line.get_color(), "transform": ax.transAxes, "va": "center", "fontsize": 8}
        ax.text(1.03, height, line.get_label(), **style).set_in_layout(makes_room)
