"""Online dictionary learning by scikit-learn's `MiniBatchDictionaryLearning` (Mairal, Bach, Ponce & Sapiro 2009).

float64: in float32 its coordinate descent does not reach its own tolerance and takes longer.
"""

import warnings

import numpy as np


def learn_online(problem, monitor, algorithm: str, batch_size: int) -> None:
    """`partial_fit` on one minibatch after the other; `algorithm` makes the codes: cd or lars."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    model = MiniBatchDictionaryLearning(
        problem.n_atoms,
        alpha=problem.kappa,
        fit_algorithm=algorithm,
        batch_size=batch_size,
        dict_init=problem.start().T.astype(np.float64),
        random_state=problem.seed,
    )
    with warnings.catch_warnings():
        # Codes short of scikit-learn's own tolerance are no news: the monitor judges every learner by the same codes.
        warnings.simplefilter("ignore")
        n_seen = 0
        monitor.restart()
        for batch in problem.batches(batch_size):
            model.partial_fit(batch.astype(np.float64))
            n_seen += len(batch)
            if monitor(n_seen, lambda: model.components_.T):
                return
