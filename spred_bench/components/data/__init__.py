"""Data sources, one file each, with a class `Source`: where the data of a task come from.

The return annotation of `load` says what a source gives: Regression, Images, Expression or Patches. A source that reads
files also has `check()`, `provenance()` and, where it can fetch them, `prepare()`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping


class BaseSource(ABC):
    """What tasks and `spred-bench prepare` ask of every source, with the answers of one that reads no file.

    name: what tables call the data set, where that is not its name on the command line.
    """

    name = ""

    @abstractmethod
    def load(self, seed: int):
        """The data of a seed. Raises Skip where a file that is not required is missing."""

    def check(self) -> None:
        """Find and check the files, so that a run does not begin without them. Raises UserError where that fails."""

    def prepare(self) -> None:
        """Fetch the files that are missing, and check them. Nothing else downloads unless asked."""

    def provenance(self) -> dict:
        """What the manifest keeps of the files, such as their checksums."""
        return {}


def check(sources: Iterable[BaseSource]) -> None:
    """Check all of them. Raises UserError for the first that is not ready."""
    for source in sources:
        source.check()


def provenance(sources: Mapping[str, BaseSource]) -> dict[str, dict]:
    """{name: what the manifest keeps of the files} of the sources that read any."""
    return {name: facts for name, source in sources.items() if (facts := source.provenance())}


def names(sources: Mapping[str, BaseSource]) -> dict[str, str]:
    """{label: what rows and tables call the data set}: a source's own name where it stands under its general one.

    data=file is called by its file; a file with a yaml of its own (allaml, imdb) as that yaml. Two sources whose own
    names are equal keep their labels.
    """
    own = {
        label: source.name
        for label, source in sources.items()
        if source.name and label.partition("[")[0] == type(source).__module__.rpartition(".")[2]
    }
    taken = [*own.values(), *(label for label in sources if label not in own)]
    return {label: own[label] if taken.count(own.get(label)) == 1 else label for label in sources}
