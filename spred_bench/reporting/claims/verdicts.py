"""Claims against rows: a verdict for each, as a table."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from spred_bench.reporting.claims.evidence import SCRIPT, Folder, all_rows
from spred_bench.reporting.claims.measure import Measurement, condition, measure
from spred_bench.reporting.claims.rules import Claim, Experiment

HOLDS, IN_PART, DOES_NOT, NOT_RUN = VERDICTS = ("holds", "holds in part", "does not hold", "not run here")
# The largest scale with rows is judged. Rows of scale=smoke show that the program runs, and nothing else.
_SCALES = ("paper", "cpu", SCRIPT)


def judge(experiments: Sequence[Experiment], folders: Sequence[Folder]) -> pd.DataFrame:
    """One line per claim; `verdict` is one of VERDICTS."""
    records = all_rows(folders)
    manifests = {run: manifest for folder in folders for run, manifest in folder.manifests.items()}
    return pd.DataFrame(
        [_line(experiment, claim, records, manifests) for experiment in experiments for claim in experiment.claims]
    )


def counts(table: pd.DataFrame) -> str:
    """'31 claims: 20 hold, ...'."""
    found = Counter(table["verdict"])
    words = {HOLDS: "hold", IN_PART: "hold in part", DOES_NOT: "do not hold", NOT_RUN: "not run here"}
    return f"{len(table)} claims: " + ", ".join(f"{found[verdict]} {word}" for verdict, word in words.items())


def measured_at_largest_scale(claim: Claim, records: pd.DataFrame) -> Measurement | None:
    """The claim's number from the rows of the largest scale that has one; None where it was not measured."""
    of_run = records["scale"] if "scale" in records else pd.Series(None, index=records.index)
    for scale in _SCALES:
        if found := measure(records[of_run == scale], claim):
            return found
    return None


def verdict_of(claim: Claim, found: Measurement | None) -> tuple[str, str]:
    """(verdict, remark). Values that are missing, or too few, keep a claim from holding in full."""
    if found is None:
        return NOT_RUN, ""
    remarks = []
    if found.missing:
        remarks.append(f"{found.missing} of {found.n + found.missing} without a value")
    if found.n < claim.needs:
        remarks.append(f"n = {found.n} of the {claim.needs} that a full verdict needs")
    if condition(claim.holds)(found.value):
        return IN_PART if remarks else HOLDS, "; ".join(remarks)
    if claim.in_part is not None and condition(claim.in_part)(found.value):
        return IN_PART, "; ".join(remarks)
    return DOES_NOT, "; ".join(remarks)


def _line(experiment: Experiment, claim: Claim, records: pd.DataFrame, manifests) -> dict:
    found = measured_at_largest_scale(claim, records)
    verdict, remark = verdict_of(claim, found)
    runs = [] if found is None else sorted(found.rows["run_id"].dropna().unique())
    threshold = f"holds: {claim.holds}" + (f"; in part: {claim.in_part}" if claim.in_part else "")
    return {
        "experiment": experiment.id,
        "title": experiment.title,
        "claim": claim.id,
        "says": claim.says,
        "where": claim.where,
        "verdict": verdict,
        "measured": claim.measured,
        **{key: getattr(found, key, np.nan) for key in ("value", "low", "high")},
        "interval": getattr(found, "interval", ""),
        "n": getattr(found, "n", 0),
        "scale": _common(found, "scale"),
        "device": _common(found, "device"),
        "processor": " ".join(sorted({str(manifests[run]["environment"].get("cpu")) for run in runs})),
        "threshold": threshold,
        "note": "; ".join(filter(None, [remark, claim.note])),
        "command": claim.command or experiment.command,
        "runs": " ".join(runs),
    }


def _common(found: Measurement | None, column: str) -> str:
    return "" if found is None else " ".join(sorted(found.rows[column].dropna().astype(str).unique()))
