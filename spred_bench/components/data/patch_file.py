"""Patches of images in one array of the user's: .npy, or .npz with the array under a key."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.grey import to_grey
from spred_bench.components.data.patches import Found, PatchSource
from spred_bench.errors import UserError


@component
class Source(PatchSource):
    """path: absolute, or relative to the working directory or to data_dir; holds images (n, h, w), (n, h, w, channels)
    or one (h, w).  Patches cut by the user go in as images of side x side.  key: of the array in an .npz."""

    path: Path
    key: str = "images"
    data_dir: Path = Path("data")

    def read(self) -> Found:
        """The images, named by their number."""
        array = self._array
        if array.ndim == 2:
            array = array[None]
        if array.ndim not in (3, 4) or array.dtype.kind not in "uifb":
            raise UserError(
                f"data.path={self._file}: {array.dtype} of shape {array.shape}; "
                "expected images (n, h, w), (n, h, w, channels) or (h, w)"
            )
        try:
            return Found({f"image {i}": to_grey(image) for i, image in enumerate(array)}, {})
        except ValueError as error:
            raise UserError(f"data.path={self._file}: {error}") from None

    def provenance(self) -> dict:
        """What the manifest keeps of the file: its name, size, SHA-256, and what was skipped in it."""
        digest = hashlib.sha256(self._file.read_bytes()).hexdigest()
        size = self._file.stat().st_size
        skipped = dict(self._usable.skipped)
        return {"file": self._file.name, "bytes": size, "sha256": digest, "skipped": skipped}

    @cached_property
    def _file(self) -> Path:
        for path in (self.path, self.data_dir / self.path):
            if path.is_file():
                return path
        raise UserError(f"data.path={self.path}: no such file here nor in data_dir={self.data_dir}")

    @property
    def _array(self) -> np.ndarray:
        path = self._file
        try:
            with open(path, "rb") as file:
                loaded = np.load(file, allow_pickle=False)
                if isinstance(loaded, np.ndarray):
                    return loaded
                if self.key not in loaded:
                    raise UserError(f"data.key={self.key}: {path} holds {', '.join(loaded)}")
                return loaded[self.key]
        except UserError:
            raise
        except ValueError:  # NumPy speaks of pickles here, and of how to load them
            raise UserError(f"data.path={path}: is no .npy or .npz file of numbers") from None
        except Exception as error:  # zip, numpy and the disk each fail in their own way on a cut or foreign file
            raise UserError(f"data.path={path}: cannot be read ({type(error).__name__}: {error})") from None
