"""`python -m spred_bench` is `spred-bench`."""

from spred_bench.cli import main

if __name__ == "__main__":
    main()
