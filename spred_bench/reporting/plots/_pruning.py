"""Names of methods and tickets, shared by the figures of pruning."""

from spred_bench.reporting.plots._style import COLOURS, colours

_NAMES = {
    "weight_decay": "dense, magnitude",
    "l1": "plain L1",
    "spred": "spred, D = 2",
    "spred_depth3": "spred, D = 3",
    "spred_depth4": "spred, D = 4",
    "spred_filters": "spred, filters",
    "str": "STR",
    "snip": "SNIP, at init",
    "synflow": "SynFlow, at init",
    "random": "random, at init",
}

TICKETS = {
    "fine-tuned": "pruned and fine-tuned",
    "early": "mask at an early epoch",
    "initial": "mask at initialisation",
    "random": "random mask, same layers",
}


def name_of(method: str) -> str:
    """As it stands in a legend."""
    known, separator, run = method.partition(", run ")  # as frontier.told_apart names it
    return _NAMES.get(known, known) + separator + run


def palette(methods) -> dict[str, str]:
    """A colour per method: the known ones have theirs in every figure, others one that is free, again after ten."""
    known = colours(_NAMES)
    own = {method: known[method] for method in methods if method in known}
    free = [colour for colour in COLOURS if colour not in own.values()] or COLOURS
    others = [method for method in methods if method not in known]
    return own | {method: free[i % len(free)] for i, method in enumerate(others)}
