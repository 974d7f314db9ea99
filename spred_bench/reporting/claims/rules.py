"""The rule files, read and checked: a misspelt key or an unknown statistic is an error, never a silent pass."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import pydantic
from omegaconf import OmegaConf

from spred_bench.components.contract import component, describe
from spred_bench.errors import UserError
from spred_bench.reporting.claims.measure import ALONG, COMPARE, TAKE, THEN, condition

FOLDER = Path(__file__).parent / "rules"


@component
class Along:
    """What a group's values are set against: further rows, joined on the `match` columns within the group."""

    rows: dict[str, Any]
    match: list[str]


@component
class Chosen:
    """What was tuned, and by which rows: of each combination of the columns `over`, the one with the best mean."""

    over: list[str]
    by: dict[str, Any]


@component
class Quantity:
    """rows: {column: value, list of values or condition}.  column: where the number stands.

    take: how the rows of a group become one number.  along: the column, or the rows, that a slope is taken along.
    chosen: keep the rows of one setting, that with the best mean over seeds of other rows, those on dev.
    """

    rows: dict[str, Any] = field(default_factory=dict)
    column: str = "value"
    take: str = "median"
    along: str | Along | None = None
    chosen: Chosen | None = None

    def __post_init__(self):
        if self.take not in {**TAKE, **ALONG}:
            raise ValueError(f"take: {self.take}; known: {', '.join({**TAKE, **ALONG})}")
        if (self.take in ALONG) != (self.along is not None):
            raise ValueError(f"take: {self.take} {'needs' if self.take in ALONG else 'takes no'} along")


@component
class Statistic:
    """A number and how rows give it; the parts are those of `measure`.

    rows: what `of` and `against` have in common.  groups: those that must have a number on both sides: all, those
    of `of` alone, or none, so that only groups that are on both count.
    """

    of: Quantity
    rows: dict[str, Any] = field(default_factory=dict)
    per: list[str] = field(default_factory=list)
    against: Quantity | None = None
    compare: str = "ratio"
    groups: Literal["all", "of", "both"] = "all"
    then: str = "median"

    def __post_init__(self):
        if self.compare not in COMPARE:
            raise ValueError(f"compare: {self.compare}; known: {', '.join(COMPARE)}")
        if self.then.startswith("share "):
            condition(self.then.removeprefix("share "))
        elif self.then not in THEN:
            raise ValueError(f"then: {self.then}; known: {', '.join(THEN)}, share <condition>")
        for quantity in (self.of, self.against):
            for part in (quantity, getattr(quantity, "along", None)):
                if isinstance(part, (Quantity, Along)):
                    part.rows = {**self.rows, **part.rows}


@component
class Claim(Statistic):
    """One sentence of the paper and what would show it.

    says: the claim.  where: its place in the paper.  measured: what the number is, for the reader.
    holds, in_part: conditions on the number.  needs: groups there must be for "holds".
    command: what produces the rows, where it is not the experiment's.  note: what the reader should know.
    """

    id: str
    says: str
    measured: str
    holds: str
    in_part: str | None = None
    where: str = ""
    needs: pydantic.PositiveInt = 1
    command: str = ""
    note: str = ""

    def __post_init__(self):
        super().__post_init__()
        for text in filter(None, (self.holds, self.in_part)):
            condition(text)


@component
class PaperRun:
    """What the paper's size takes: a command for a CUDA machine, hours, and how they were estimated."""

    command: str
    hours: pydantic.PositiveFloat
    estimate: str


@component
class Experiment:
    """One experiment of the paper: its claims, the command for them, and the run at the paper's size."""

    id: str
    title: str
    command: str
    claims: list[Claim]
    paper: list[PaperRun] = field(default_factory=list)


def load(folder: Path = FOLDER) -> list[Experiment]:
    """Every experiment, in the order of the file names. Raises UserError naming file and key of a mistake."""
    # OmegaConf reads 1e-6 as a number; plain YAML 1.1 does not.
    files = {path.name: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(folder.glob("*.yaml"))}
    experiments = [_build(name, content) for name, content in files.items()]
    ids = [claim.id for experiment in experiments for claim in experiment.claims]
    for name in ids:
        if ids.count(name) > 1:
            raise UserError(f"claims: {name} stands {ids.count(name)} times in {folder}")
    return experiments


def _build(name: str, content: Mapping) -> Experiment:
    try:
        return Experiment(**content)
    except pydantic.ValidationError as error:
        loc = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"claims, {name}, {loc}: {describe(error, '', {})}") from None
