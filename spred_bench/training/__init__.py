"""One training loop with callbacks, checkpoints, schedules, and a target sparsity. Loaded on first use."""

from typing import TYPE_CHECKING

from spred_bench import lazy_names

if TYPE_CHECKING:
    from spred_bench.training.batches import FullBatch as FullBatch
    from spred_bench.training.batches import Minibatches as Minibatches
    from spred_bench.training.callbacks import KeepBest as KeepBest
    from spred_bench.training.callbacks import at as at
    from spred_bench.training.callbacks import every as every
    from spred_bench.training.callbacks import every_epoch as every_epoch
    from spred_bench.training.checkpoint import CheckpointMismatch as CheckpointMismatch
    from spred_bench.training.checkpoint import Checkpoints as Checkpoints
    from spred_bench.training.decay_budget import DecayBudget as DecayBudget
    from spred_bench.training.decay_budget import planned as planned
    from spred_bench.training.kappa_schedule import KappaSchedule as KappaSchedule
    from spred_bench.training.target_sparsity import TargetSparsity as TargetSparsity
    from spred_bench.training.trainer import Trainer as Trainer
    from spred_bench.training.trainer import train as train

__all__, __getattr__ = lazy_names(
    __name__,
    {
        "trainer": ("Trainer", "train"),
        "batches": ("FullBatch", "Minibatches"),
        "callbacks": ("KeepBest", "at", "every", "every_epoch"),
        "checkpoint": ("CheckpointMismatch", "Checkpoints"),
        "decay_budget": ("DecayBudget", "planned"),
        "kappa_schedule": ("KappaSchedule",),
        "target_sparsity": ("TargetSparsity",),
    },
)
