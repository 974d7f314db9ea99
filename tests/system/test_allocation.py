"""Freed memory stays with the process."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource
import numpy as np
from spred_bench.system.allocation import keep_freed_memory

if {keep}:
    assert keep_freed_memory()
for _ in range(3):
    [np.ones(2**20) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    [np.ones(2**20) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_arrays_taken_again_are_not_new_pages():
    run = [subprocess.check_output([sys.executable, "-c", COUNT.format(keep=keep)], text=True) for keep in (0, 1)]
    given_back, kept = map(int, run)
    assert kept < 0.1 * given_back


def test_other_systems_are_left_as_they_are(monkeypatch):
    from spred_bench.system import allocation

    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda _: object())
    assert allocation.keep_freed_memory() is False
