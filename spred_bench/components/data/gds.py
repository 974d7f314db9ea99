"""GEO DataSets by accession, as in the paper: from data_dir/geo, where `spred-bench prepare` puts them."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field

from spred_bench.components.contract import component
from spred_bench.components.data.genes import Expression, of_table
from spred_bench.components.data.local_file import LocalFile
from spred_bench.errors import UserError
from spred_bench.system.download import checksum, fetch, recorded_checksum

_ADDRESS = "https://ftp.ncbi.nlm.nih.gov/geo/datasets/{folder}/{accession}/soft/{accession}.soft.gz"


@component
class Source(LocalFile):
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
        from spred_bench.components.data.readers.soft import read_gds

        if self._found is None:
            folder = re.sub(r"\d{1,3}$", "nnn", self.accession)
            url = _ADDRESS.format(folder=folder, accession=self.accession)
            target = self._folder / f"{self.accession}.soft.gz"
            fetch([url], target, sha256=None, examine=lambda path: read_gds(path, self.accession))
            del self._found
        self.check()

    def load(self, seed: int) -> Expression:
        """The whole data set, whatever the seed. Skip where it is missing and not required."""
        return super().load(seed)

    @property
    def _folder(self) -> Path:
        return self.data_dir / "geo"

    def _places(self) -> list[Path]:
        names = [f"{self.accession}{full}.soft{packed}" for packed in (".gz", "") for full in ("", "_full")]
        return [folder / name for folder in (self._folder, self.data_dir) for name in names]

    def _missing(self) -> str:
        return (
            f"data.gds.accession={self.accession}: {self._folder / self.accession}.soft.gz is not there; fetch it with "
            f"`spred-bench prepare data=gds data.gds.accession={self.accession}`, or let data_dir=... name the folder "
            "of a local copy"
        )

    @cached_property
    def _data(self) -> Expression:
        from spred_bench.components.data.readers.soft import read_gds

        if self._found is None:
            raise UserError(self._missing())
        recorded = recorded_checksum(self._found)
        if recorded not in (None, checksum(self._found)):
            raise UserError(
                f"{self._found}: not the file that was fetched (SHA-256 differs); remove it, fetch it again"
            )
        return of_table(str(self._found), read_gds(self._found, self.accession))
