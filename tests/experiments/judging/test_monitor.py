"""The monitor: what it judges, when it stops a solver, whose time it counts."""

from types import SimpleNamespace

import numpy as np
import pytest

from spred_bench.experiments.judging.monitor import Monitor
from spred_bench.lasso import LassoProblem, lambda_max


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 10)), rng.standard_normal(20)
    return LassoProblem(X, y, lambda_max(X, y))


def test_stops_at_the_target_gap(problem):
    monitor = Monitor(problem, [1e-6], 10.0)
    assert not monitor(0, lambda: np.full(10, 0.1))
    assert monitor(1, lambda: np.zeros(10))
    assert monitor.status == "done" and [point.step for point in monitor.trace] == [0, 1]


def test_judged_steps_do_not_depend_on_time(problem):
    monitor = Monitor(problem, [1e-9], 10.0)
    for step in range(1000):
        monitor(step, lambda: np.full(10, 0.1))
    steps = [point.step for point in monitor.trace]
    assert steps[:12] == list(range(12)) and steps[-1] > 900 and len(steps) < 80


def test_time_limit_and_divergence_end_a_run(problem):
    late = Monitor(problem, [1e-9], 0.0)
    assert late(5, lambda: np.ones(10)) and late.status == "timeout"
    wild = Monitor(problem, [1e-9], 10.0)
    assert wild(0, lambda: np.full(10, np.nan)) and wild.status == "diverged"


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told: `clock.now += 3`."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("spred_bench.system.stopwatch.time.perf_counter", lambda: clock.now)
    return clock


def test_judging_is_not_on_the_clock(problem, clock):
    monitor = Monitor(problem, [1e-9], 10.0)
    clock.now += 2

    def slow():
        clock.now += 50
        return np.full(10, 0.1)

    monitor(0, slow)
    clock.now += 3
    monitor(1, slow)
    assert [point.time_s for point in monitor.trace] == [2.0, 5.0]


def test_the_ladder_finds_the_loosest_tolerance(problem, clock):
    monitor = Monitor(problem, [1e-3, 1e-6], 10.0)
    start = problem.certificate(np.full(10, 1e-3))[1]
    tolerances = []
    for step, tolerance in enumerate(monitor.ladder()):
        assert monitor.watch.elapsed_s == 0
        clock.now += 7
        # The gap of a small constant vector is near enough linear in its size: five times the tolerance asked for.
        monitor(step, lambda t=tolerance: np.full(10, 5e-3 * t / start))
        tolerances.append(round(float(np.log10(tolerance)), 1))
    assert tolerances[0] == -3 and monitor.status == "done"
    gaps = dict(zip(tolerances, [point.relative_gap for point in monitor.trace], strict=True))
    for target in (1e-3, 1e-6):
        loosest = max(t for t in tolerances if gaps[t] <= target)
        assert loosest + 0.5 in tolerances and gaps[loosest + 0.5] > target
    assert all(point.time_s == 7 for point in monitor.trace)


def test_the_ladder_ends_at_the_time_limit(problem, clock):
    monitor = Monitor(problem, [1e-3, 1e-6], 10.0)
    for step, _ in enumerate(monitor.ladder()):
        clock.now += 11
        monitor(step, lambda: np.full(10, 0.1))
    assert len(monitor.trace) == 1 and monitor.status == "timeout"


def test_zero_rates_count_against_the_largest_weight(problem):
    monitor = Monitor(problem, [1e-9], 10.0)
    monitor(0, lambda: np.array([1e3, 0.5, 1e-4, 0, 0, 0, 0, 0, 0, 0.0]))
    assert monitor.trace[0].zero_rates == (0.9, 0.8)


def test_judging_wakes_no_second_thread_of_numpy(problem, monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    if not threads():
        pytest.skip("no BLAS whose threads can be counted")
    seen, before, certificate = [], threads(), LassoProblem.certificate
    monkeypatch.setattr(LassoProblem, "certificate", lambda *at: (seen.append(threads()), certificate(*at))[1])
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        Monitor(problem, [1e-9], 10.0)(0, lambda: np.zeros(10))
        assert seen == [{1}] and threads() == {2}
    assert threads() == before
