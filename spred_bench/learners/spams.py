"""Online dictionary learning of SPAMS, `trainDL`, by the authors of the method (Mairal et al. 2009, 2010).

A black box: learnt from scratch for each point of its curve, because a `trainDL` continued from its own model forgets
the statistics of earlier patches at other moments than one that runs through.
"""

import os

import numpy as np
from pydantic import PositiveInt

from spred_bench.components import component
from spred_bench.solvers.cd import required


@component
class Learner:
    """batch_size: patches a step.  threads: all of the machine's for null."""

    batch_size: PositiveInt = 512
    threads: PositiveInt | None = None

    def learn(self, problem, monitor) -> None:
        """Runs of more and more iterations, the last one as long as the time limit."""
        spams = required("spams", "spams-bin")
        X, start = np.asfortranarray(problem.X.T), np.asfortranarray(problem.start())
        batch_size = min(self.batch_size, len(problem.X))
        threads = self.threads or len(os.sched_getaffinity(0))
        options = {"lambda1": problem.kappa, "mode": 2, "batchsize": batch_size, "numThreads": threads}
        for n_steps in monitor.ladder(batch_size):
            B = spams.trainDL(X, D=start.copy(order="F"), iter=n_steps, verbose=False, **options)
            monitor(n_steps * batch_size, lambda B=B: B)
