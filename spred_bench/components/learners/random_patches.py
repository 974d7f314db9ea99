"""No learning: the patches that every learner starts from. What it reaches is what learning has to improve on."""

from spred_bench.components.contract import component


@component
class Learner:
    """Stops at once."""

    def learn(self, problem, monitor) -> None:
        """Nothing: the start has been judged."""
