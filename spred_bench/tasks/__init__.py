"""Tasks, one file per experiment: they wire data, solvers or methods and models into cells and rows; no mathematics.

A task has `key_columns`, `cells() -> list[Cell]`, `run(cell) -> rows` and `summary(records) -> table or None`.
"""
