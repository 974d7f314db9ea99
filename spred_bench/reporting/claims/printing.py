"""The verdicts as text: for the terminal, and the list of runs at the paper's size."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from spred_bench.reporting.claims.rules import Experiment
from spred_bench.reporting.claims.verdicts import NOT_RUN, VERDICTS, counts

_WIDTH = 118
_INDENT = " " * (max(map(len, VERDICTS)) + 4)


def show(table: pd.DataFrame) -> str:
    """Claims under their experiments: verdict, what the paper says, what was measured, and how to repeat it."""
    lines = []
    for _, part in table.groupby("experiment", sort=False):
        lines += [f"{part['experiment'].iloc[0]}  {part['title'].iloc[0]}"]
        for _, claim in part.iterrows():
            lines += _claim(claim)
        lines += [f"  $ {command}" for command in dict.fromkeys(part["command"])] + [""]
    return "\n".join([*lines, counts(table)])


def measured_value(claim: pd.Series) -> tuple[str, str]:
    """('0.289', '0.252 to 0.332, 95 % bootstrap; n = 24; scale cpu; device cpu'); empty where nothing was measured."""
    if claim["verdict"] == NOT_RUN:
        return "", ""
    spread = [f"{claim['low']:.3g} to {claim['high']:.3g}, {claim['interval']}"] if claim["interval"] else []
    about = [*spread, f"n = {claim['n']}", f"scale {claim['scale']}", f"device {claim['device']}"]
    return f"{claim['value']:.3g}", "; ".join(about)


def _claim(claim: pd.Series) -> list[str]:
    text = [f"{claim['says']} ({claim['where']})"]
    if claim["verdict"] != NOT_RUN:
        value, about = measured_value(claim)
        text += [f"{claim['measured']}: {value} ({about})", claim["threshold"]]
        text += [claim["note"]] if claim["note"] else []
    wrapped = [line for part in text for line in textwrap.wrap(part, _WIDTH - len(_INDENT))]
    first = f"  {claim['verdict']}".ljust(len(_INDENT)) + wrapped[0]
    return [first, *(_INDENT + line for line in wrapped[1:])]


def show_paper_runs(experiments: Sequence[Experiment]) -> str:
    """Commands at the paper's size, each with the hours it is estimated to take and where the estimate comes from."""
    lines = ["Runs at the paper's size, for a machine with one CUDA device. Hours are estimates, not measurements.", ""]
    runs = [(experiment, run) for experiment in experiments for run in experiment.paper]
    for experiment, run in runs:
        lines.append(f"{run.hours:7.2f} h  {experiment.id:<9} {run.command}")
        lines += textwrap.wrap(run.estimate, _WIDTH, initial_indent=" " * 21, subsequent_indent=" " * 21)
    return "\n".join([*lines, "", f"{sum(run.hours for _, run in runs):7.1f} h in all"])
