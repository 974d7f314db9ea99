"""Tasks, one file per experiment: they wire data, solvers or methods and models into cells and rows; no mathematics.

A task has `key_columns`, `cells() -> list[Cell]`, `run(cell) -> rows` and `summary(records)`: what is printed at the
end, a table, several by name, or None. `files(records) -> {name: table}`, where there is one, is written beside the
records as <name>.csv.

While `run(cell)` works, `self.scratch` is a folder of the cell's own (not made yet) that outlives a kill: the place for
`Checkpoints(self.scratch, key)`. It goes away once the cell's rows are in the journal.
"""
