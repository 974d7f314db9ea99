"""Dictionary learners, one file each: `learn(problem, monitor)` calls the monitor after every step until it says stop.

`black_box` ones are fitted from scratch for every point of their curve. None is judged by a measure of its own.
"""
