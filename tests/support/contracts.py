"""What the contract tests share: the components as the configurations declare them."""

import yaml

from spred_bench.components import contract
from spred_bench.running import listing

GROUPS = listing.groups()


def spec_of(group: str, name: str) -> dict:
    """The component's own mapping in its yaml, `${by_scale:...}` left out so that defaults hold."""
    entry = yaml.safe_load((listing.config_dir() / group / f"{name}.yaml").read_text())[name]
    return {key: value for key, value in entry.items() if not str(value).startswith("${")}


def build_all(group: str, name: str, **shared):
    return contract.build_group(group, {name: spec_of(group, name)}, shared)
