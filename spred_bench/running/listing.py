"""What there is to choose from, read off the yaml tree: `spred-bench list` and `spred-bench info`."""

import ast
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spred_bench.components import contract
from spred_bench.errors import UserError
from spred_bench.system.files import PACKAGE, config_dir

_own: list[Path] = []  # of the user's own, while a command runs


@contextmanager
def with_folder(folder: str | None) -> Iterator[None]:
    """Let the block know the configurations in `folder` (--config-dir) as well. UserError where it is no folder."""
    if folder is not None and not Path(folder).is_dir():
        raise UserError(f"--config-dir {folder}: not a folder")
    before = list(_own)
    _own[:] = before if folder is None else [Path(folder).absolute()]
    try:
        yield
    finally:
        _own[:] = before


def own_folders() -> list[Path]:
    """Folders of the user's own configurations."""
    return list(_own)


def groups() -> dict[str, list[str]]:
    """{group: names of its components}, the user's own among them."""
    found: dict[str, set[str]] = {}
    for path in [path for folder in (config_dir(), *_own) for path in folder.glob("*/*.yaml")]:
        if path.parent.name != "hydra":
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(found[group]) for group in sorted(found)}


def bare_word(word: str) -> str:
    """What to say of a word that is neither a verb nor key=value."""
    found = [f"{group}={word}" for group, names in groups().items() if word in names]
    return f"{word}: expected key=value" + (f"; did you mean {' or '.join(found)}?" if found else "")


def yaml_of(group: str, name: str) -> Path | None:
    """The file of a component, ours before the user's as hydra takes them; None where there is none."""
    paths = (folder / group / f"{name}.yaml" for folder in (config_dir(), *_own))
    return next((path for path in paths if path.exists()), None)


def title(group: str, name: str) -> str:
    """First comment line of a component's yaml: what it is, in a sentence."""
    for line in yaml_of(group, name).read_text().splitlines():
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
            lines.append(f"{group}:")
            for name in names:
                lines += _wrapped(f"  {name:<{width}}  ", title(group, name))
    return "\n".join(lines)


def _wrapped(head: str, text: str) -> list[str]:
    """The text behind its head, broken to the window where the output is a terminal's."""
    if not sys.stdout.isatty():
        return [head + text]
    columns = max(shutil.get_terminal_size().columns, len(head) + 30)
    return textwrap.wrap(text, columns, initial_indent=head, subsequent_indent=" " * len(head)) or [head]


def show_info(name: str) -> str:
    """The yaml and the module docstring of every component called `name` (`solver/cd` or `cd`)."""
    group, _, stem = name.rpartition("/")
    paths = [yaml_of(one, stem) for one, names in groups().items() if stem in names and group in ("", one)]
    if not paths:
        known = [f"{one}/{other}" if group else other for one, names in groups().items() for other in names]
        raise UserError(f"info {name}: no such component; {contract.suggest(name, known, 'see spred-bench list')}")
    blocks = []
    for path in paths:
        text = path.read_text()
        targets = [line.split("_target_:")[1].strip() for line in text.splitlines() if "_target_:" in line]
        documentation = "\n\n".join(_module_docstring(target.rpartition(".")[0]) for target in targets)
        blocks.append(f"{path.parent.name}/{path.name}\n\n{text.rstrip()}\n\n{documentation}".rstrip())
    return "\n\n".join(blocks)


def _module_docstring(module: str) -> str:
    """Docstring of a module, without importing it (torch takes seconds)."""
    for folder in (PACKAGE.parent, *_own, Path.cwd()):
        path = folder.joinpath(*module.split(".")).with_suffix(".py")
        if path.exists():
            return ast.get_docstring(ast.parse(path.read_text())) or ""
    return ""


def show_help() -> str:
    """What `--help` prints. Ours, because hydra takes a second to load its plugins before it answers."""
    lines = [_wrapped(f"  {group:<11}", ", ".join(names)) for group, names in groups().items()]
    choices = "\n".join(line for wrapped in lines for line in wrapped)
    return f"""\
spred-bench: experiments with spred, the L1 penalty solved by any gradient method

  spred-bench                                          run the default task
  spred-bench task=lasso_scaling scale=smoke solver=[cd,lars]
  spred-bench -m task=lasso_orthogonal kappa=0.1,0.2   a sweep: one run per value
  spred-bench launcher=local_pool task=... seed=0,1,2  several runs at a time; slurm: on a cluster
  spred-bench experiment=fig2_left                     a figure of the paper; some are sweeps
  spred-bench task=lasso_scaling --cfg job             show the configuration, run nothing

Choices (group=name; data=[a,b] and solver=[a,b] take several)
{choices}

Keys of every task
  scale      smoke (seconds), cpu (minutes on two cores, the default), paper (the paper's sizes)
  kappa      strength of Eq. (3): the penalty is 2 kappa |w|_1
  device     auto, cpu, cuda, cuda:1         seed      first seed
  threads    of torch, BLAS and numba        force     true: run again what is done
  results_dir, data_dir                      --wide    tables with all columns
  A list where one value is expected makes a grid: data.gaussian.n_features=[100,1000]
  The same command again runs what is missing, failed or was interrupted, and nothing else.

Your own components: a folder with solver/my.yaml and the module that it names
  spred-bench --config-dir mine allow=[my_solvers] solver=my

Verbs (each explains itself with --help, and takes key=value as a run does: collect results_dir=mine)
  list [GROUP]   info NAME         what there is
  doctor         prepare task=...  examine this machine; fetch data (nothing else downloads)
  collect [TASK] plot FILE         merge the runs of a task; draw figures
  claims [RESULTS] report [RESULTS]   the paper's claims judged by rows; all of it as one HTML page
  version

Exit codes: 0 done, 1 a cell failed, 2 the command or configuration is wrong, 130 / 143 interrupted"""


def version() -> str:
    """Versions of the package and of what it stands on, without importing them."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from spred_bench import __version__
    from spred_bench.system import machine

    parts = [f"spred-bench {__version__}"]
    git = machine.git_state(PACKAGE)
    if git:
        parts[0] += f" ({git['sha'][:10]}{' with changes' if git['dirty'] else ''})"
    for name in ("torch", "hydra-core"):
        try:
            parts.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} is not installed")
    return "\n".join(parts)
