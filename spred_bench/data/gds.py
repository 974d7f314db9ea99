"""GEO DataSets by accession, as in the paper: from data_dir/geo, where `spred-bench prepare` puts them."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field

from spred_bench.components import component
from spred_bench.data.genes import Expression
from spred_bench.download import checksum, fetch, recorded_checksum
from spred_bench.errors import Skip, UserError

_ADDRESS = "https://ftp.ncbi.nlm.nih.gov/geo/datasets/{folder}/{accession}/soft/{accession}.soft.gz"


@component
class Source:
    """accession: GDS and a number.  A local copy may be the plain or the full file, packed or not.

    required: false skips the cells of a missing file instead of refusing to start.
    """

    accession: Annotated[str, Field(pattern=r"^GDS\d+$")] = "GDS507"
    required: bool = True
    data_dir: Path = Path("data")

    @property
    def name(self) -> str:
        """What the data set is called in tables."""
        return self.accession

    def prepare(self) -> None:
        """Fetch the file if it is missing, keep its checksum beside it, and check it."""
        if self._found is None:
            folder = re.sub(r"\d{1,3}$", "nnn", self.accession)
            url = _ADDRESS.format(folder=folder, accession=self.accession)
            fetch([url], self._folder / f"{self.accession}.soft.gz", sha256=None)
            del self._found
        self.check()

    def check(self) -> None:
        """Read and check the file now, so that a run does not begin without it."""
        if self.required or self._found is not None:
            _ = self._data

    def load(self, seed: int) -> Expression:
        """The whole data set, whatever the seed. Skip where it is missing and not required."""
        if not self.required and self._found is None:
            raise Skip(self._missing())
        return self._data

    def provenance(self) -> dict:
        """What the manifest keeps of the file: its name, size and SHA-256."""
        if self._found is None:
            return {"file": f"{self.accession}.soft.gz", "missing": True}
        return {"file": self._found.name, "bytes": self._found.stat().st_size, "sha256": checksum(self._found)}

    @property
    def _folder(self) -> Path:
        return self.data_dir / "geo"

    @cached_property
    def _found(self) -> Path | None:
        names = [f"{self.accession}{full}.soft{packed}" for packed in (".gz", "") for full in ("", "_full")]
        places = [folder / name for folder in (self._folder, self.data_dir) for name in names]
        return next((path for path in places if path.is_file()), None)

    def _missing(self) -> str:
        return (
            f"data.gds.accession={self.accession}: {self._folder / self.accession}.soft.gz is not there; fetch it with "
            f"`spred-bench prepare data=gds data.gds.accession={self.accession}`, or let data_dir=... name the folder "
            "of a local copy"
        )

    @cached_property
    def _data(self) -> Expression:
        from spred_bench.data.soft import read_gds

        if self._found is None:
            raise UserError(self._missing())
        recorded = recorded_checksum(self._found)
        if recorded not in (None, checksum(self._found)):
            raise UserError(
                f"{self._found}: not the file that was fetched (SHA-256 differs); remove it, fetch it again"
            )
        return read_gds(self._found, self.accession)
