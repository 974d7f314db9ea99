"""Online dictionary learning of SPAMS, `trainDL`, by the authors of the method (Mairal et al. 2009, 2010).

A black box: learnt from scratch for each point of its curve, because a `trainDL` continued from its own model forgets
the statistics of earlier patches at other moments than one that runs through.
"""

import os
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.learners import BaseLearner
from spred_bench.components.peers import required

_LEAST = 512  # patches a step


@component
class Learner(BaseLearner):
    """batch_size: patches a step; null: 512, or as many as atoms, because a step costs more the more atoms there are.

    ratio: of the steps of one point of the curve to those of the point before it.  threads: null for all there are.
    """

    batch_size: PositiveInt | None = None
    ratio: Annotated[int, Field(ge=2)] = 2
    threads: PositiveInt | None = None

    def learn(self, problem, monitor) -> None:
        """Runs of more and more iterations, the last one as long as the time limit."""
        spams = required("spams", "spams-bin")
        X, start = np.asfortranarray(problem.X.T), np.asfortranarray(problem.start())
        batch_size = min(self.batch_size or max(_LEAST, problem.n_atoms), len(problem.X))
        threads = self.threads or len(os.sched_getaffinity(0))
        options = {"lambda1": problem.kappa, "mode": 2, "batchsize": batch_size, "numThreads": threads}
        for n_steps in monitor.ladder(batch_size, self.ratio):
            B = spams.trainDL(X, D=start.copy(order="F"), iter=n_steps, verbose=False, **options)
            monitor(n_steps * batch_size, lambda B=B: B)
