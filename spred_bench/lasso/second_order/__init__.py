"""spred for the lasso by second-order methods: the paper's "any optimizer", taken to where it is fastest.

`newton` (the solver) and `path` stand on `lasso_rounds` (working sets), `exchange` with `active_set` (exact, of any
rank), `product_newton` with `landing` (many columns, damped) and `compact` (all of it, compiled, for a small
X). `many_targets` takes many of them at once, with `joint` where many columns are in play.
`group_lasso`, `feature_path` and `varpro` solve the problems of their names.
"""
