"""spred for the lasso by second-order methods: the paper's "any optimizer", taken to where it is fastest.

`newton` (the solver and its path) stands on `lasso_rounds` (working sets), `exchange` and `product_newton` (Newton's
method on the factors, undamped and damped) and `landing` (the exact end). `group_lasso` and `varpro` project variables.
"""
