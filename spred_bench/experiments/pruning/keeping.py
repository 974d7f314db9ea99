"""What a pruning experiment leaves on disk: checkpoints that cells share, and networks to take away."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from torch import nn

from spred_bench.experiments.splits import LabelledImages
from spred_bench.networks.export import export
from spred_bench.training.checkpoint import Checkpoints


def checkpoints(scratch: Path, key: str, shared: bool) -> Checkpoints:
    """Those of a cell in its own folder `scratch`, or of the training that cells share; former sharers' are removed."""
    if not shared:
        return Checkpoints(scratch, key)
    folder = scratch.parent / f"training-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    for other in scratch.parent.glob("training-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return Checkpoints(folder, key)


def export_beside(scratch: Path, key: str, network: nn.Module, split: LabelledImages) -> Iterator[dict]:
    """Write the network to `networks/<cell>` of the run; rows of what that takes, the folder in their note."""
    folder = Path("networks") / re.sub(r"[^\w.]+", "-", key)
    for row in export(network, scratch.parent.parent / folder, split.images[:1]):
        yield {**row, "note": str(folder)}
