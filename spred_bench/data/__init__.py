"""Data sources, one file each. A regression source has `load(seed) -> Regression`."""
