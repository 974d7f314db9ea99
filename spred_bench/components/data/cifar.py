"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32 x 32.

They are read as torchvision lays them out, or else from data_dir/cifar10.npz (cifar100.npz) with Keras' keys.
"""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.image_file import Source as ImageFile
from spred_bench.components.data.images import Images, checked
from spred_bench.errors import UserError


@component
class Source(BaseSource):
    """n_classes: which of the two.  download: fetch it if missing.  n_train: use only so many images."""

    n_classes: Literal[10, 100]
    download: bool = False
    n_train: PositiveInt | None = None
    data_dir: Path = Path("data")

    def check(self) -> None:
        """Find and check the files now (or fetch them, if asked), so that a run does not begin without them."""
        if self._archive is None:
            _ = self._digests
        else:
            self._keras().check()

    def prepare(self) -> str:
        """Fetch what is missing and check everything; where it lies."""
        if self._archive is None and not self._folder.is_dir():
            self._fetch()
        self.check()
        return str(self._folder if self._archive is None else self._archive)

    def load(self, seed: int) -> Images:
        """The whole set, whatever the seed."""
        if self._archive is not None:
            return self._keras().load(seed)
        self.check()  # torchvision unpickles: only the files of the original are let near it
        train, test = (self._dataset(self.data_dir, train=train) for train in (True, False))
        arrays = (train.data, np.asarray(train.targets), test.data, np.asarray(test.targets))
        return checked(self._name, *arrays).first(self.n_train)

    def provenance(self) -> dict:
        """What the manifest keeps of the files: their SHA-256."""
        return dict(self._digests) if self._archive is None else self._keras().provenance()

    @property
    def _archive(self) -> Path | None:
        """The file with Keras' keys, where torchvision's folder is not there."""
        path = self.data_dir / f"{self._name}.npz"
        return path if path.is_file() and not self._folder.is_dir() else None

    def _keras(self) -> ImageFile:
        return ImageFile(path=self._archive, n_train=self.n_train, data_dir=self.data_dir)

    @property
    def _name(self) -> str:
        return f"cifar{self.n_classes}"

    @property
    def _dataset(self):
        import torchvision

        return {10: torchvision.datasets.CIFAR10, 100: torchvision.datasets.CIFAR100}[self.n_classes]

    @property
    def _folder(self) -> Path:
        return self.data_dir / self._dataset.base_folder

    @cached_property
    def _digests(self) -> dict[str, str]:
        meta = self._dataset.meta["filename"], self._dataset.meta["md5"]
        files = dict([*self._dataset.train_list, *self._dataset.test_list, meta])
        missing = [name for name in files if not (self._folder / name).is_file()]
        if missing and self.download:
            self._fetch()
        elif missing:
            raise UserError(
                f"data={self._name}: {self._folder / missing[0]} is not there; fetch it with `spred-bench prepare "
                f"data={self._name}` (or data.{self._name}.download=true), or let data_dir=... name the folder of a "
                "local copy"
            )
        digests = {}
        for name, expected in files.items():
            content = (self._folder / name).read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != expected:
                raise UserError(f"data={self._name}: {self._folder / name} is cut or not the original (MD5 differs)")
            digests[name] = hashlib.sha256(content).hexdigest()
        return digests

    def _fetch(self) -> None:
        try:
            self._dataset(self.data_dir, download=True)
        except Exception as error:  # network, disk and archive errors of many kinds
            raise UserError(f"data={self._name}: download failed ({error}); or put a copy in {self._folder}") from None
