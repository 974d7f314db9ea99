"""Dictionary learners, one file each, with a class `Learner`. One judge measures the dictionaries of all of them."""

from abc import ABC, abstractmethod


class BaseLearner(ABC):
    """What `task=sparse_coding` asks of every learner. learns: False for a control that keeps the common start."""

    learns = True

    @abstractmethod
    def learn(self, problem, monitor) -> None:
        """Learn a dictionary (m, k) of `problem`, a `CodingProblem`, from the start that all share, `problem.start()`.

            monitor.restart()                      the clock begins: what comes before is preparation
            monitor(n_seen, dictionary) -> bool    after n_seen patches; True: stop. dictionary() gives (m, k)

        The monitor is called after every step. A black box is fitted from scratch for every point of its curve, at the
        steps of `monitor.ladder(batch_size)`. Raises Skip, with the reason, where it cannot run here.
        """
