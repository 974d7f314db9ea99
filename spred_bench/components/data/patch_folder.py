"""Patches of every image in a folder of the user's: JPEG, PNG, TIFF and whatever else PIL reads."""

import hashlib
from pathlib import Path

from spred_bench.components.contract import component
from spred_bench.components.data.grey import read_grey
from spred_bench.components.data.patches import Found, PatchSource
from spred_bench.errors import UserError

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


@component
class Source(PatchSource):
    """path: a folder, absolute or relative to the working directory or to data_dir; files that are no images of a
    usual suffix are passed over, those that cannot be read are skipped and named."""

    path: Path
    data_dir: Path = Path("data")

    def read(self) -> Found:
        """The images of the folder, in the order of their names."""
        images, skipped = {}, {}
        for path in self._files():
            try:
                images[path.name] = read_grey(path)
            except ValueError as error:
                skipped[path.name] = str(error)
            except Exception as error:  # PIL's readers fail in their own ways on a cut or foreign file
                skipped[path.name] = f"cannot be read, {type(error).__name__}"
        return Found(images, skipped)

    def provenance(self) -> dict:
        """What the manifest keeps: number of files, their size, one SHA-256 over all, and what was skipped."""
        files = self._files()
        digest = hashlib.sha256()
        for path in files:
            digest.update(path.read_bytes())
        size = sum(path.stat().st_size for path in files)
        return {"files": len(files), "bytes": size, "sha256": digest.hexdigest(), "skipped": dict(self._usable.skipped)}

    def _files(self) -> list[Path]:
        for folder in (self.path, self.data_dir / self.path):
            if folder.is_dir():
                break
        else:
            raise UserError(f"data.path={self.path}: no such folder here nor in data_dir={self.data_dir}")
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
        if not files:
            raise UserError(f"data.path={folder}: no image there; known suffixes: {', '.join(_SUFFIXES)}")
        return files
