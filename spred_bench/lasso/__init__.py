"""The lasso: the problem and its certificate (`problem`), and the second-order engine (`second_order`)."""

from spred_bench.lasso.problem import LassoProblem, as_columns, lambda_max, orthogonal_solution, soft_threshold

__all__ = ["LassoProblem", "as_columns", "lambda_max", "orthogonal_solution", "soft_threshold"]
