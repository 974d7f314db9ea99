"""`python -m spred_bench` is `spred-bench`."""

from spred_bench.cli import main

main()
