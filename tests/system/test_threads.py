"""The BLAS libraries that are kept at one thread are those that are loaded now."""

import sys

import pytest

from spred_bench.system import threads


def test_a_blas_that_is_loaded_later_is_found(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    looked = []

    class Controller(threadpoolctl.ThreadpoolController):
        def __init__(self):
            looked.append(len(sys.modules))
            super().__init__()

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Controller)
    threads._blas_pools.cache_clear()
    for _ in range(3):
        with threads.one_thread_for_numpy():
            pass
    assert len(looked) == 1
    monkeypatch.setitem(sys.modules, "another_blas", sys)
    with threads.one_thread_for_numpy():
        pass
    assert len(looked) == 2
    threads._blas_pools.cache_clear()
