"""The relative duality gap: right for floats, compiled code, arrays and tensors; never a pass where it is no number."""

import numpy as np
import pytest
import torch
from numba import njit

from lasso_problems import gap_of, largest_alpha, problem
from spred_bench.lasso import LassoProblem
from spred_bench.lasso.duality import relative_gap

compiled = njit(lambda rr, wq, penalty, top, alpha, yy: relative_gap(rr, wq, penalty, top, alpha, yy))


def in_an_array(rr, wq, penalty, top, alpha, yy):
    rr, wq, penalty, top, yy = (np.array([value, value]) for value in (rr, wq, penalty, top, yy))
    return relative_gap(rr, wq, penalty, top, alpha, yy)[1]


def in_a_tensor(rr, wq, penalty, top, alpha, yy):
    rr, wq, penalty, top, yy = (torch.tensor([value, value]).double() for value in (rr, wq, penalty, top, yy))
    return float(relative_gap(rr, wq, penalty, top, alpha, yy)[1])


FORMS = pytest.mark.parametrize("form", [relative_gap, compiled, in_an_array, in_a_tensor])


@FORMS
@pytest.mark.parametrize("fraction", [2.0, 0.3, 1e-3])
@pytest.mark.parametrize("size", [0.0, 0.1])
def test_equals_primal_minus_dual(form, fraction, size):
    X, y = problem(30, 20)
    alpha, w = fraction * largest_alpha(X, y), size * np.random.default_rng(1).standard_normal(20)
    r = y - X @ w
    q = X.T @ r / 30
    gap = form(r @ r / 30, w @ q, alpha * np.abs(w).sum(), np.abs(q).max(), alpha, y @ y / 30)
    assert gap == pytest.approx(gap_of(X, y, w, alpha), rel=1e-9, abs=1e-15)


@FORMS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_no_number_is_an_infinite_gap(form, bad, place):
    values = [1.0, 0.1, 0.2, 0.7]
    values[place] = abs(bad) if place == 3 else bad
    with np.errstate(all="ignore"):
        assert form(*values, 0.5, 2.0) == np.inf


@FORMS
def test_rounding_below_zero_is_zero(form):
    assert form(1.0, 0.2 + 1e-17, 0.2 - 1e-16, 0.5, 0.5, 2.0) == 0.0


@FORMS
def test_a_zero_target_at_zero_is_exact(form):
    assert form(0.0, 0.0, 0.0, 0.0, 0.5, 0.0) == 0.0
    assert form(0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == 0.0
    assert form(1.0, -1.0, 0.1, 1.0, 0.5, 0.0) > 0.1


def test_the_judge_calls_what_is_no_number_infinite():
    X, y = problem(10, 4)
    with np.errstate(all="ignore"):
        for w in (np.full(4, np.nan), np.full(4, 1e200), np.array([np.inf, 0, 0, 0])):
            assert LassoProblem(X, y, 0.1).certificate(w)[1] == np.inf
