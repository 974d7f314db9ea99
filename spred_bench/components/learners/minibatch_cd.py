"""Online dictionary learning with codes by coordinate descent: scikit-learn's `MiniBatchDictionaryLearning`."""

from pydantic import PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner
from spred_bench.components.learners._online import learn_online


@component
class Learner(BaseLearner):
    """batch_size: patches a step."""

    batch_size: PositiveInt = 256

    def learn(self, problem, monitor) -> None:
        """Minibatches until the monitor says stop."""
        learn_online(problem, monitor, "cd", self.batch_size)
