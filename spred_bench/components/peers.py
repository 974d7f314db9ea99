"""Packages that rivals come from: none of them is needed, and one that is missing costs one line."""

from importlib import import_module

from spred_bench.errors import Skip


def required(module: str, package: str | None = None):
    """The imported module of a peer, or Skip with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Skip(f"not installed ({error}): pip install {package or module}") from None
