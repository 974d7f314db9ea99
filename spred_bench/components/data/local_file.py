"""What sources that read one file of the user's machine have in common: found or not, required or not, its checksum."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from spred_bench.components.data import BaseSource
from spred_bench.components.data.readers import stem
from spred_bench.errors import Skip, UserError
from spred_bench.system.download import checksum


class LocalFile(BaseSource):
    """To be inherited by a component with `path`, `required` and `data_dir`.

    It adds `_data`, a cached property that reads and checks `_found` or raises UserError, and `_missing()`, the words
    for a file that is not there.
    """

    def check(self) -> None:
        """Read and check the file now, so that a run does not begin without it."""
        if self.required or self._found is not None:
            _ = self._data

    def load(self, seed: int):
        """The whole file, whatever the seed. Skip where it is missing and not required."""
        if not self.required and self._found is None:
            raise Skip(self._missing())
        return self._data

    def provenance(self) -> dict:
        """What the manifest keeps of the file: its name, size and SHA-256."""
        if self._found is None:
            return {"file": self._places()[0].name, "missing": True}
        return {"file": self._found.name, "bytes": self._found.stat().st_size, "sha256": checksum(self._found)}

    def _places(self) -> list[Path]:
        """Where the file may lie."""
        return [self.path, self.data_dir / self.path]

    @cached_property
    def _found(self) -> Path | None:
        return next((path for path in self._places() if path.is_file()), None)


class ReadFile(LocalFile):
    """A file that one of the `readers` reads: tables call the data by its name, the manifest says what was read."""

    @abstractmethod
    def _facts(self) -> Mapping[str, str]:
        """What was read, for people to see whether it is what they meant."""

    @property
    def name(self) -> str:
        """The file's name without its suffixes."""
        return stem(self.path)

    def provenance(self) -> dict:
        """What the manifest keeps of the file: its name, size, SHA-256, and what was read."""
        facts = super().provenance()
        return facts if self._found is None else {**facts, "read": dict(self._facts())}

    def _missing(self) -> str:
        return f"path={self.path}: no such file here nor in data_dir={self.data_dir}"

    def _existing(self) -> Path:
        if self._found is None:
            raise UserError(self._missing())
        return self._found
