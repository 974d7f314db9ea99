"""MNIST (LeCun et al. 1998): 60,000 + 10,000 handwritten digits of 28 x 28, as torchvision lays it out."""

import hashlib
from functools import cached_property
from pathlib import Path

from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.images import Images, checked
from spred_bench.errors import UserError

# The four files, unpacked, and the first 16 digits of their SHA-256.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7a",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d7",
    "t10k-images-idx3-ubyte": "0fa7898d509279e4",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de3373",
}


@component
class Source(BaseSource):
    """The files lie in data_dir/MNIST/raw.  download: fetch them if missing.  n_train: use only so many images."""

    download: bool = False
    n_train: PositiveInt | None = None
    data_dir: Path = Path("data")

    def check(self) -> None:
        """Find and check the files now (or fetch them, if asked), so that a run does not begin without them."""
        _ = self._digests

    def prepare(self) -> str:
        """Fetch what is missing and check everything; where it lies."""
        if any(not (self._folder / name).is_file() for name in FILES):
            self._fetch()
        self.check()
        return str(self._folder)

    def load(self, seed: int) -> Images:
        """The whole set, whatever the seed."""
        from torchvision.datasets.mnist import read_image_file, read_label_file

        self.check()
        readers = (read_image_file, read_label_file, read_image_file, read_label_file)
        arrays = [read(self._folder / name).numpy() for read, name in zip(readers, FILES, strict=True)]
        return checked("mnist", *arrays).first(self.n_train)

    def provenance(self) -> dict:
        """What the manifest keeps of the files: their SHA-256."""
        return dict(self._digests)

    @property
    def _folder(self) -> Path:
        return self.data_dir / "MNIST" / "raw"

    @cached_property
    def _digests(self) -> dict[str, str]:
        missing = [name for name in FILES if not (self._folder / name).is_file()]
        if missing and self.download:
            self._fetch()
        elif missing:
            raise UserError(
                f"data=mnist: {self._folder / missing[0]} is not there; fetch MNIST with `spred-bench prepare "
                "data=mnist` (or data.mnist.download=true), or let data_dir=... name the folder of a local copy"
            )
        digests = {}
        for name, expected in FILES.items():
            with open(self._folder / name, "rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            if not digests[name].startswith(expected):
                raise UserError(f"data=mnist: {self._folder / name} is cut or not the original (SHA-256 differs)")
        return digests

    def _fetch(self) -> None:
        from torchvision.datasets import MNIST

        try:
            MNIST(self.data_dir, download=True)
        except Exception as error:  # network, disk and archive errors of many kinds
            raise UserError(f"data=mnist: download failed ({error}); or put a copy in {self._folder}") from None
