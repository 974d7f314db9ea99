"""GEO DataSets (GDS) in SOFT format, plain and full, packed or not: read, and checked against their own counts.

GEOparse reads the header and the subsets. The table is read here: GEOparse takes a stray quotation mark for a quoted
cell that may swallow rows, and accepts a table that ends early.
"""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spred_bench.components.data.readers import Table, text
from spred_bench.errors import UserError

SUFFIXES = (".soft",)

_BEGIN, _END = "\n!dataset_table_begin", "\n!dataset_table_end"


def read(path: Path, x_key: str, columns: Sequence[str]) -> Table:
    """The data set in `path`, with all its factors, whatever was asked for."""
    return read_gds(path)


def read_gds(path: Path, accession: str | None = None) -> Table:
    """The data set in `path`; its columns are the types of its subsets (disease state, ...).

    Raises UserError where the file is cut, no GDS file, another accession, or contradicts the counts in its header.
    """
    header, table = _parts(path)
    columns = table.partition("\n")[0].split("\t")
    samples = [name for name in columns if name.startswith("GSM")]
    repeated = next((name for name in samples if samples.count(name) > 1), None)
    if repeated:
        raise UserError(f"{path}: sample {repeated} stands {samples.count(repeated)} times")
    gds = _header(path, header)
    if accession and gds.name != accession:
        raise UserError(f"{path}: holds {gds.name}, not {accession}")
    probes, symbols, X = _values(path, table, samples)
    for key, found, what in (("feature_count", len(probes), "rows"), ("sample_count", len(samples), "samples")):
        expected = gds.metadata.get(key, ["missing"])[0]
        if str(found) != expected:
            raise UserError(f"{path}: the table has {found} {what}, but dataset_{key} is {expected}; damaged file?")
    return Table(X, _factors(path, gds, samples), probes, symbols, samples)


def _parts(path: Path) -> tuple[str, str]:
    """Header and table of a whole GDS file."""
    whole = text(path, errors="replace")
    if whole[:1000].lstrip().startswith("<"):
        raise UserError(f"{path}: an HTML or XML page, not a SOFT file; remove it and fetch it again")
    entries = {line[1:].partition("=")[0].strip() for line in whole[:100_000].split("\n") if line.startswith("^")}
    if "DATASET" not in entries:
        held = f"it holds {', '.join(sorted(entries))}" if entries else "it has no ^DATASET line"
        raise UserError(f"{path}: not a GEO DataSet (GDS...soft); {held}")
    header, begin, rest = whole.partition(_BEGIN)
    table, end, _ = rest.partition(_END)
    if not begin or not end:
        missing = _END if begin else _BEGIN
        raise UserError(f"{path}: cut: there is no {missing.strip()}")
    return header, table.lstrip("\n")


def _header(path: Path, header: str):
    """GEOparse's GDS of a file with this header and no rows."""
    import GEOparse

    # GEOparse wants the columns that the header describes; full files may have others.
    described = [line[1:].partition("=")[0].strip() for line in header.split("\n") if line.startswith("#")]
    rows = f"{header}{_BEGIN}\n" + "\t".join(described) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        rowless = Path(folder) / "GDS.soft"
        rowless.write_text(rows, encoding="utf-8")
        try:
            return GEOparse.get_GEO(
                filepath=str(rowless), geotype="GDS", silent=True, open_kwargs={"encoding": "utf-8"}
            )
        except Exception as error:  # GEOparse has many ways to fail on a foreign header
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path}: GEOparse cannot read its header ({type(error).__name__}: {reason})") from None


def _values(path: Path, table: str, samples: list[str]):
    """(probes, gene symbols, X): the columns ID_REF, IDENTIFIER and the samples; annotation of full files is left."""
    import pandas as pd

    wanted = {"ID_REF", "IDENTIFIER", *samples}
    lines = table.rstrip("\n").split("\n")
    wrong = next((line for line in lines if line.count("\t") != lines[0].count("\t")), None)
    if wrong is not None:  # pandas would fill a short row and cut a long one
        probe, fields, expected = wrong.split("\t")[0], wrong.count("\t") + 1, lines[0].count("\t") + 1
        raise UserError(f"{path}: the table cannot be read: the row of {probe} has {fields} fields, not {expected}")
    try:
        frame = pd.read_csv(
            io.StringIO(table),
            sep="\t",
            quoting=csv.QUOTE_NONE,
            usecols=lambda name: name in wanted,
            index_col=False,
            dtype={"ID_REF": str, "IDENTIFIER": str, **dict.fromkeys(samples, np.float32)},
            keep_default_na=False,  # a gene may be called NAN
            na_values={name: ["null", ""] for name in samples},
        )
    except ValueError as error:  # pandas' ParserError is one
        raise UserError(f"{path}: the table cannot be read ({str(error).splitlines()[0]})") from None
    if "ID_REF" not in frame or not samples:
        raise UserError(f"{path}: the table has no column {'GSM...' if 'ID_REF' in frame else 'ID_REF'}")
    probes = frame["ID_REF"].to_numpy()
    symbols = frame["IDENTIFIER"].to_numpy() if "IDENTIFIER" in frame else probes
    return probes, symbols, frame[samples].to_numpy().T


def _factors(path: Path, gds, samples: list[str]) -> dict[str, list[str]]:
    """{type of subset: label of each sample, "" for none}, in the file's order."""
    factors: dict[str, dict[str, str]] = {}
    for subset in gds.subsets.values():
        kind, label = (subset.metadata.get(key, [""])[0] for key in ("type", "description"))
        labels = factors.setdefault(kind, {})
        for sample in map(str.strip, ",".join(subset.metadata.get("sample_id", [])).split(",")):
            if sample not in samples:
                raise UserError(f"{path}: subset {subset.name} names the sample '{sample}', which the table lacks")
            if labels.setdefault(sample, label) != label:
                raise UserError(f"{path}: sample {sample} is '{labels[sample]}' and '{label}' in '{kind}'")
    if not factors:
        raise UserError(f"{path}: no subsets, so the samples have no labels")
    return {kind: [labels.get(sample, "") for sample in samples] for kind, labels in factors.items()}
