"""What the second-order solver accepts, refuses and warns of."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from lasso_problems import largest_alpha, problem, reference
from spred_bench.lasso.second_order.newton import solve_lasso


def test_read_only_integer_and_strided_input():
    X, y = problem(40, 60)
    expected = solve_lasso(X, y, 0.05, tol=1e-10).coef
    X.flags.writeable = y.flags.writeable = False
    np.testing.assert_array_equal(solve_lasso(X, y, 0.05, tol=1e-10).coef, expected)
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_allclose(solve_lasso(wide, y, 0.05, tol=1e-10).coef, expected, atol=1e-10)
    np.testing.assert_allclose(solve_lasso(X[::-1], y[::-1], 0.05, tol=1e-10).coef, expected, atol=1e-8)
    Z = np.random.default_rng(4).integers(-5, 6, (40, 60))
    np.testing.assert_allclose(solve_lasso(Z, y, 0.05, tol=1e-10).coef, reference(Z, y, 0.05).coef_, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["X", "y", "X beside y = 0", "sparse"])
def test_non_finite_input_is_refused(bad, where):
    X, y = problem(20, 10)
    if where == "y":
        y[3] = bad
    else:
        X[3, 4] = bad
        y[3] = 0 if where == "X beside y = 0" else 1.0
    for intercept in (False, True):
        with pytest.raises(ValueError, match="NaN or infinity"):
            solve_lasso(sparse.csr_array(X) if where == "sparse" else X, y, 0.1, fit_intercept=intercept)


@pytest.mark.parametrize(
    "change",
    [{"alpha": -1}, {"alpha": np.nan}, {"tol": 0}, {"max_iter": 0}, {"y": np.ones(3)}, {"X": np.ones(20)}]
    + [{"X": np.ones((20, 0))}, {"sample_weight": -np.ones(20)}, {"warm_start": np.ones(3)}],
)
def test_wrong_arguments_are_refused(change):
    X, y = problem(20, 10)
    with pytest.raises(ValueError):
        solve_lasso(**({"X": X, "y": y, "alpha": 0.1} | change))


def test_unreached_accuracy_warns_with_the_gap():
    X, y = problem(40, 600, nonzeros=600)
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        result = solve_lasso(X, y, 1e-3 * largest_alpha(X, y), max_iter=1)
    assert result.status == "max_iter" and np.isfinite(result.coef).all()
    with warnings.catch_warnings():  # rounding decides whether a gap of zero is reached
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert solve_lasso(X, y, 0.1, tol=1e-30).dual_gap < 1e-12
