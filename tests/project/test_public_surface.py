"""Every public name of the library is documented and annotated."""

import ast
import importlib
import inspect

import pytest

PACKAGES = ("spred_bench", *(f"spred_bench.{name}" for name in ("estimators", "lasso", "networks", "redundancy")))
PACKAGES += ("spred_bench.sparse_coding", "spred_bench.training")


def public() -> dict[str, object]:
    """{where it is defined: function or class} of all names in `__all__` of the library's packages."""
    found = {}
    for package in map(importlib.import_module, PACKAGES):
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


PUBLIC = public()


def functions(value) -> list[ast.FunctionDef]:
    """The public functions of a definition: itself, or its public methods and its constructor."""
    module = importlib.import_module(value.__module__)
    tree = ast.parse(inspect.getsource(module))
    (node,) = (n for n in tree.body if getattr(n, "name", "") == value.__name__)
    if isinstance(node, ast.FunctionDef):
        return [node]
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    return [n for n in methods if not n.name.startswith("_") or n.name == "__init__"]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_documented(name):
    value = PUBLIC[name]
    assert value.__doc__ and not value.__doc__.startswith(f"{value.__name__}("), "no docstring"
    protocol = {"__init__", "state_dict", "load_state_dict"}  # described by the class, or by torch
    assert [f.name for f in functions(value) if f.name not in protocol and not ast.get_docstring(f)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_annotated(name):
    for function in functions(PUBLIC[name]):
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        arguments += [extra for extra in (function.args.vararg, function.args.kwarg) if extra]
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        assert bare == [], f"{function.name}: no type for {bare}"
        assert function.returns is not None or function.name == "__init__", f"{function.name}: no return type"
