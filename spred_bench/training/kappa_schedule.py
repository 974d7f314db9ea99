"""A schedule of kappa: it rises at first, stays constant, and is zero at the end.

kappa rises at first because a strong penalty from the first step on can extinguish a deep network. It is zero at the
end because a penalty also shrinks the weights that are worth keeping. The schedule acts on the weight decay of the
factors.
"""

from collections.abc import Iterable

from torch.optim import Optimizer


def trapezoid(progress: float, warmup: float = 0.0, off: float = 0.0) -> float:
    """The share of kappa at `progress` within 0 and 1: rises along a line over `warmup`, 0 in the last `off`."""
    if progress >= 1.0 - off:
        return 0.0 if off > 0 else 1.0
    return min(progress / warmup, 1.0) if warmup > 0 else 1.0


def factor_groups(optimizers: Iterable[Optimizer]) -> list[dict]:
    """The groups that hold factors, as `redundancy.parameter_groups` names them. ValueError where there is none."""
    groups = [group for optimizer in optimizers for group in optimizer.param_groups if group.get("name") == "redundant"]
    if not groups:
        raise ValueError("no optimizer group is named 'redundant'; build the groups by a spred method")
    return groups


class KappaSchedule:
    """A callback of the trainer: kappa times `trapezoid(progress, warmup, off)`, progress the share of the steps made.

    warmup, off: shares of all steps; together at most 1. Raises ValueError otherwise.
    """

    def __init__(self, warmup: float = 0.0, off: float = 0.0):
        if not (warmup >= 0 and off >= 0 and warmup + off <= 1):
            raise ValueError(f"warmup={warmup}, off={off}: shares of all steps, together at most 1")
        self.warmup, self.off = warmup, off
        self.full: list[float] = []  # the groups' weight decay at full kappa

    def __call__(self, trainer) -> None:
        groups = factor_groups(trainer.optimizers)
        self.full = self.full or [group["weight_decay"] for group in groups]
        share = self.share(trainer.step / max(trainer.max_steps, 1))
        for group, full in zip(groups, self.full, strict=True):
            group["weight_decay"] = share * full

    def share(self, progress: float) -> float:
        """Of kappa, at `progress`."""
        return trapezoid(progress, self.warmup, self.off)

    def state_dict(self) -> dict:
        return {"full": self.full}

    def load_state_dict(self, state: dict) -> None:
        self.full = state["full"]
