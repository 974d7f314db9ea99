"""What there is to choose from, read off the yaml tree: `spred-bench list` and `spred-bench info`."""

import ast
import importlib.util
from pathlib import Path

from spred_bench.errors import UserError


def config_dir() -> Path:
    """Folder of the yaml tree: inside the package when installed from a wheel, beside it in a checkout."""
    packaged = Path(__file__).parent / "configs"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "configs"


def groups() -> dict[str, list[str]]:
    """{group: names of its components}."""
    found = {}
    for folder in sorted(config_dir().iterdir()):
        names = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
        if names and folder.name != "hydra":
            found[folder.name] = names
    return found


def title(group: str, name: str) -> str:
    """First comment line of a component's yaml: what it is, in a sentence."""
    for line in (config_dir() / group / f"{name}.yaml").read_text().splitlines():
        if line.startswith("# ") and "@package" not in line:
            return line[2:]
    return ""


def show_list(wanted: str | None = None) -> str:
    """The catalogue as text, of one group or of all."""
    found = groups()
    if wanted is not None and wanted not in found:
        raise UserError(f"list {wanted}: no such group; known: {', '.join(found)}")
    width = max(len(name) for names in found.values() for name in names)
    lines = []
    for group, names in found.items():
        if wanted in (None, group):
            lines += [f"{group}:", *(f"  {name:<{width}}  {title(group, name)}" for name in names)]
    return "\n".join(lines)


def show_info(name: str) -> str:
    """The yaml and the module docstring of every component called `name` (`solver/cd` or `cd`)."""
    group, _, stem = name.rpartition("/")
    paths = sorted(config_dir().glob(f"{group or '*'}/{stem}.yaml"))
    if not paths:
        raise UserError(f"info {name}: no such component; see spred-bench list")
    blocks = []
    for path in paths:
        text = path.read_text()
        targets = [line.split("_target_:")[1].strip() for line in text.splitlines() if "_target_:" in line]
        documentation = "\n\n".join(_module_docstring(target.rpartition(".")[0]) for target in targets)
        blocks.append(f"{path.parent.name}/{path.name}\n\n{text.rstrip()}\n\n{documentation}".rstrip())
    return "\n\n".join(blocks)


def _module_docstring(module: str) -> str:
    """Docstring of a module, without importing it (torch takes seconds)."""
    path = Path(__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text())) or "") if path.exists() else ""


def version() -> str:
    """Versions of the package and of what it stands on, without importing them."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from spred_bench import __version__, timing

    parts = [f"spred-bench {__version__}"]
    git = timing.git_state(Path(__file__).parent)
    if git:
        parts[0] += f" ({git['sha'][:10]}{' with changes' if git['dirty'] else ''})"
    for name in ("torch", "hydra-core"):
        try:
            parts.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} is not installed")
    return "\n".join(parts)


def has_module(name: str) -> bool:
    """Whether an optional package is installed, without importing it."""
    return importlib.util.find_spec(name) is not None
