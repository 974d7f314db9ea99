"""Any set of labelled images as one .npz with Keras' keys: x_train, y_train, x_test, y_test."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.images import Images, checked
from spred_bench.errors import UserError

KEYS = ("x_train", "y_train", "x_test", "y_test")


@component
class Source(BaseSource):
    """path: absolute, or relative to the working directory or to data_dir.  n_train: use only so many images."""

    path: Path
    n_train: PositiveInt | None = None
    data_dir: Path = Path("data")

    def check(self) -> None:
        """Read and check the file now, so that a run does not begin without it."""
        self.load(0)

    def load(self, seed: int) -> Images:
        """The whole set, whatever the seed."""
        images = self._images.first(self.n_train)
        if missing := sorted(set(range(images.n_classes)) - set(images.y_train.tolist())):
            raise UserError(
                f"n_train={self.n_train}: class {missing[0]} is not among the first {self.n_train} of {self._found}; "
                "take more, or put its images in random order"
            )
        return images

    def provenance(self) -> dict:
        """What the manifest keeps of the file: its name, size and SHA-256."""
        with open(self._found, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": self._found.name, "bytes": self._found.stat().st_size, "sha256": digest}

    @cached_property
    def _found(self) -> Path:
        for path in (self.path, self.data_dir / self.path):
            if path.is_file():
                return path
        raise UserError(f"path={self.path}: no such file here nor in data_dir={self.data_dir}")

    @cached_property
    def _images(self) -> Images:
        path = self._found
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                missing = [key for key in KEYS if key not in arrays]
                if missing:
                    raise UserError(f"{path}: no array {missing[0]}; it holds {', '.join(arrays)}")
                loaded = {key: arrays[key] for key in KEYS}
        except UserError:
            raise
        except Exception as error:  # zip, numpy and the disk each fail in their own way on a cut or foreign file
            raise UserError(f"path={path}: cannot be read ({type(error).__name__}: {error})") from None
        return checked(str(path), **loaded)
