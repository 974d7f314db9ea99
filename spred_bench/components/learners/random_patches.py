"""No learning: the patches that every learner starts from. What it reaches is what learning has to improve on."""

from typing import ClassVar

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner


@component
class Learner(BaseLearner):
    """Stops at once."""

    learns: ClassVar = False

    def learn(self, problem, monitor) -> None:
        """Nothing: the start has been judged."""
