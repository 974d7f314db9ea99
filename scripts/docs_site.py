"""Hooks of the documentation site (mkdocs.yml): API pages from `__all__`, the gallery, and the committed figures.

The pages below docs/ link to `../results/reference/...`, as a reader of the repository needs it. The site has the same
figures at `results/reference/...`.
"""

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path("results/reference")
API = {
    "redundancy": "Redundant parametrization",
    "estimators": "Estimators",
    "lasso": "Lasso problem",
    "sparse_coding": "Sparse coding",
    "networks": "Networks",
    "training": "Training",
}


def figures() -> list[Path]:
    """The committed figures, relative to the repository."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / REFERENCE).glob("*/*.png"))


def gallery() -> str:
    """The gallery page: each committed figure with its caption and the experiment it belongs to."""
    sys.path.insert(0, str(ROOT))
    from spred_bench.reporting import plots

    lines = ["# Gallery", "", "Every figure is drawn from committed rows. `make figures` draws all of them again.", ""]
    for path in figures():
        lines += [f"## {path.parent.name}: {path.stem}", "", f"![{path.stem}]({path.as_posix()})", ""]
        lines += [plots.caption(path.stem), ""]
    return "\n".join(lines)


def api_page(package: str) -> str:
    """The reference page of one package of the library, from its `__all__`."""
    module = importlib.import_module(f"spred_bench.{package}")
    blocks = [f"::: {getattr(module, name).__module__}.{name}" for name in module.__all__ if _is_defined(module, name)]
    return "\n\n".join([f"# {API[package]}", (module.__doc__ or "").strip(), *blocks]) + "\n"


def _is_defined(module, name: str) -> bool:
    return hasattr(getattr(module, name), "__qualname__")


def on_files(files, config):
    """Add the generated pages and the figures to the files of the site."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "gallery.md", content=gallery()))
    for package in API:
        files.append(File.generated(config, f"api/{package}.md", content=api_page(package)))
    for path in figures():
        files.append(File.generated(config, path.as_posix(), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links to the committed figures work from the site."""
    return re.sub(r"\]\(\.\./results/reference/", "](results/reference/", markdown)
