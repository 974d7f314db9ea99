"""Print the solvers of the extra `peers`, one a line: `make` installs each on its own, where it has a wheel."""

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]

if __name__ == "__main__":
    print(*PROJECT["optional-dependencies"]["peers"], sep="\n")
