"""One look for all figures: colour-blind safe (Okabe & Ito 2008), readable at print size, no clutter."""

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


def colours(names) -> dict[str, str]:
    """One colour per name, in order of appearance; they repeat after ten."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def spread(values, most: int) -> list:
    """All of the sorted `values`, or `most` of them, evenly from the first to the last: what a figure has room for."""
    values = sorted(values)
    if len(values) <= most:
        return values
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
