"""Tasks, one file per experiment: they wire data, solvers or methods and models into cells and rows; no mathematics.

A task has `key_columns`, `cells() -> list[Cell]`, `run(cell) -> rows` and `summary(records) -> table or None`.

While `run(cell)` works, `self.scratch` is a folder of the cell's own (not made yet) that outlives a kill: the place for
`Checkpoints(self.scratch, key)`. It goes away once the cell's rows are in the journal.
`self.run_folder` is the run's own: files that its figures need beside the rows go below it, named by the cell.
"""
