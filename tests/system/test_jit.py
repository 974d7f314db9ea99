"""Compiled loops: a cache that cannot be used costs time, never the run; sums have the same bits from every process."""

import os
import subprocess
import sys

import numpy as np
import pytest

from spred_bench.system.jit import dot

# What happens to numba's cache; root can write everywhere, hence by hand.
NO_FOLDER = "caching.CacheImpl._locator_classes = []"
FULL_DISK = """
def full(self, path):
    raise OSError(28, "No space left on device", path)
caching.IndexDataCacheFile._open_for_write = full
"""
DAMAGED = """
def damaged(self):
    raise EOFError("Ran out of input")
caching.IndexDataCacheFile._load_index = damaged
"""
CALL = """
import spred_bench.cli, spred_bench.estimators.linear, spred_bench.sparse_coding.encoder, spred_bench.lasso.second_order
from spred_bench.system.jit import dot
import numpy as np
print(dot(np.arange(4.0), np.ones(4), 4))
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", [NO_FOLDER, FULL_DISK, DAMAGED], ids=["no folder", "full disk", "damaged"])
def test_a_cache_that_cannot_be_used_is_passed_over(fault, tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    script = f"import numba.core.caching as caching\n{fault}\n{CALL}"
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "6.0\n"), run.stderr
    assert not list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 64, 101])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dot_is_the_inner_product(n, dtype):
    x, y = (np.random.default_rng(seed).standard_normal(120).astype(dtype) for seed in (0, 1))
    assert dot(x, y, n) == pytest.approx(float(x[:n].astype(float) @ y[:n]), rel=1e-4, abs=1e-6)
    assert np.asarray(dot(x, y, n)).dtype.itemsize >= np.dtype(dtype).itemsize


ENCODE = """
import hashlib, warnings
import numpy as np, torch
warnings.simplefilter("ignore")
torch.set_num_threads(1)
from spred_bench.sparse_coding import encode
rng = np.random.default_rng(0)
B = rng.standard_normal((48, 160))
B /= np.linalg.norm(B, axis=0)
found = encode((3 * rng.standard_normal((60, 48))).astype(np.float32), B, 0.5)
print(hashlib.sha256(found.codes.data.tobytes() + found.gap.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_fresh_and_cached_code_give_the_same_bits(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    digests = [
        subprocess.run(
            [sys.executable, "-c", ENCODE], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert list(tmp_path.rglob("*.nbi")), "the second run had nothing to load"
    assert digests[0] == digests[1] != ""
