"""Let a redundant module be pickled as a whole (`torch.save(model)`, worker processes), which torch refuses by itself.

torch gives every parametrized module a class made at run time, which no pickle can name. A redundant module is stored
as its original class, its attributes and its factors, and is parametrized again when it is loaded.
"""

from torch import nn
from torch.nn.utils import parametrize

from spred_bench.redundancy.product import Product


def reduce(module: nn.Module, _protocol) -> tuple:
    """`__reduce_ex__` of a redundant module: how pickle is to build it again.

    Raises RuntimeError where another kind of parametrization is on the module too.
    """
    for name, made in module.parametrizations.items():
        if not isinstance(made[0], Product):
            raise RuntimeError(f"'{name}' is parametrized by {type(made[0]).__name__}: save the state_dict() instead")
    attributes = dict(module.__dict__)
    submodules = dict(attributes["_modules"])
    factors = dict(submodules.pop("parametrizations").items())
    attributes["_modules"] = submodules
    return restore, (type(module).__bases__[0], attributes, factors)


def restore(original: type, attributes: dict, factors: dict) -> nn.Module:
    """A module of class `original` with its attributes, its weights products of the factors {name: their module}."""
    from spred_bench.redundancy.parametrization import _own_class

    module = original.__new__(original)
    module.__dict__.update(attributes)
    for name, product in factors.items():
        values = tuple(factor.detach() for factor in product.parameters())
        module.register_parameter(name, nn.Parameter(product().detach()))
        product[0]._start = values  # what the registration asks for, instead of another split of the weight
        parametrize.register_parametrization(module, name, product[0])
        module.parametrizations[name] = product  # the factors themselves, which tied weights share
    _own_class(module)
    return module
