"""Images as files: <path>/train/<class>/*.png (or .jpg) and <path>/test/<class>/*, the same classes in both."""

from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.images import Images, checked
from spred_bench.components.data.pictures import opened
from spred_bench.errors import UserError

_KINDS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@component
class Source(BaseSource):
    """path: absolute, or relative to the working directory or to data_dir.  size: scale to size x size; null: all have
    one size already.  Classes are numbered in the order of their names."""

    path: Path
    size: PositiveInt | None = None
    data_dir: Path = Path("data")

    def check(self) -> None:
        """Find the files now, so that a run does not begin without them."""
        _ = self._files

    def load(self, seed: int) -> Images:
        """The whole set, whatever the seed."""
        files = self._files
        arrays = []
        for split in ("train", "test"):
            arrays.append(np.stack(self._same_size([self._read(file) for file, _ in files[split]], files[split])))
            arrays.append(np.array([label for _, label in files[split]]))
        return checked(str(self._folder), *arrays)

    def provenance(self) -> dict:
        """What the manifest keeps: how many files of how many bytes."""
        files = [file for split in self._files.values() for file, _ in split]
        return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}

    @property
    def _folder(self) -> Path:
        for path in (self.path, self.data_dir / self.path):
            if path.is_dir():
                return path
        raise UserError(f"path={self.path}: no such folder here nor in data_dir={self.data_dir}")

    @property
    def _files(self) -> dict[str, list[tuple[Path, int]]]:
        """{split: [(file, label)]}."""
        folder, found = self._folder, {}
        classes = {s: sorted(path.name for path in folder.glob(f"{s}/*") if path.is_dir()) for s in ("train", "test")}
        if not classes["train"] or classes["train"] != classes["test"]:
            differing = sorted(set(classes["train"]) ^ set(classes["test"])) or ["none at all"]
            raise UserError(f"{folder}: train/ and test/ need a folder per class, the same in both: {differing[0]}")
        for split, names in classes.items():
            found[split] = [
                (file, label)
                for label, name in enumerate(names)
                for file in sorted((folder / split / name).iterdir())
                if file.suffix.lower() in _KINDS and file.is_file()
            ]
            if not found[split]:
                raise UserError(f"{folder / split}: no images ({', '.join(_KINDS)})")
        return found

    def _read(self, file: Path) -> np.ndarray:
        """(h, w, 3) uint8."""
        from PIL import Image

        try:
            with opened(file) as image:
                if image.mode == "F":
                    raise ValueError("floating point; expected 8 or 16 bits")
                if image.mode.startswith("I"):  # 16 bits, which PIL would cut off at 255
                    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
                image = image.convert("RGB")
                return np.asarray(image.resize((self.size, self.size)) if self.size else image)
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: is not a readable image ({error})") from None

    def _same_size(self, arrays: list[np.ndarray], files: list) -> list[np.ndarray]:
        for array, (file, _) in zip(arrays, files, strict=True):
            if array.shape != arrays[0].shape:
                raise UserError(
                    f"{file}: is {array.shape[1]} x {array.shape[0]}, {files[0][0].name} is {arrays[0].shape[1]} x "
                    f"{arrays[0].shape[0]}; data.image_folder.size=32 scales all to 32 x 32"
                )
        return arrays
