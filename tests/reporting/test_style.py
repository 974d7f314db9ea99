"""What all figures share: names, colours, labels beside lines."""

import itertools

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from spred_bench.reporting.plots import _style


def test_a_solver_has_its_colour_in_every_figure():
    few, many = (
        _style.colours("solver", ["cd", "spred_newton"]),
        _style.colours("solver", ["spred_newton", "celer", "skglm", "adelie", "cd"]),
    )
    assert few["cd"] == many["cd"] and few["spred_newton"] == many["spred_newton"]


def test_colours_differ_as_long_as_there_are_any():
    names = ["spred_newton", "skglm", "spred_lbfgs", "mine", "yours", "spred_newton"]
    found = _style.colours("solver", names)
    assert list(found) == names[:-1] and len(set(found.values())) == 5
    assert len(_style.colours("method", [f"method {i}" for i in range(14)])) == 14


def test_a_legend_holds_what_any_panel_shows_once():
    figure, axes = plt.subplots(1, 2)
    axes[0].plot([0, 1], label="one")
    axes[1].plot([0, 1], label="one")
    axes[1].plot([0, 1], label="another")
    assert _style.legend_entries(axes)[1] == ["one", "another"]
    plt.close(figure)


def test_labels_stand_apart_beside_their_lines():
    figure, ax = plt.subplots()
    for y in (1.0, 1.001, 5.0):
        ax.plot([0, 1], [0, y], label=f"line {y}")
    _style.label_ends(ax, apart=0.1)
    heights = sorted(text.get_position()[1] for text in ax.texts)
    plt.close(figure)
    assert len(heights) == 3 and min(b - a for a, b in itertools.pairwise(heights)) >= 0.1 - 1e-9
