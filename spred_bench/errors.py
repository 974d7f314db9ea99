"""The exceptions that carry a message for the user rather than a bug report."""


class UserError(Exception):
    """A mistake in the command, the configuration or the data: one line, exit code 2, nothing written."""


class Busy(UserError):
    """Another process is working on the same run."""


class Skip(Exception):
    """A cell that cannot be computed here (peer not installed, problem not supported); the text says why."""


class CheckpointMismatch(ValueError):
    """A checkpoint belongs to another configuration or another training."""


class DecayBudgetTooSmall(ValueError):
    """A training is too short, or its weight decay too weak, for a useless weight to become zero."""
