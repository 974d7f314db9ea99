"""Tasks, one file per experiment: they wire data, solvers or methods and models into cells and rows; no mathematics.

A task has `key_columns`, `cells() -> list[Cell]`, `run(cell) -> rows` and `summary(records)`: what is printed at the
end, a table, several by name, or None. `files(records) -> {name: table}`, where there is one, is written beside the
records as <name>.csv.

A task that trains gives each training of a cell `checkpoint.of_cell(self, cell, name)`, and a cell that was killed goes
on where it was. (While `run(cell)` works, the runner lets `self.scratch` name a folder of the cell's own, not made yet,
that outlives a kill and goes away once the cell's rows are in the journal.)
`self.run_folder` is the run's own: files that its figures need beside the rows go below it, named by the cell.
"""
