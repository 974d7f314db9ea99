"""Sparse coding, Eq. (7) of the paper: codes for a dictionary, and dictionaries for patches."""

from spred_bench.sparse_coding.encoder import Codes, encode
from spred_bench.sparse_coding.objective import objective

__all__ = ["Codes", "encode", "objective"]
