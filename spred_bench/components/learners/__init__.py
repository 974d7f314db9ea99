"""Dictionary learners, one file each: `learn(problem, monitor)` calls the monitor after every step until it says stop.

    monitor.restart()                      the clock begins: what comes before is preparation
    monitor(n_seen, dictionary) -> bool    after n_seen patches; dictionary() gives (m, k), asked for only when judged

`problem` is a `CodingProblem` of `sparse_coding/learning.py`, with the start that all share, `problem.start()`.
`black_box` ones are fitted from scratch for every point of their curve, at the steps of `monitor.ladder(batch_size)`.
None is judged by a measure of its own.
"""
