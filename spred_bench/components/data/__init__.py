"""Data sources, one file each: `load(seed)` returns what its annotation says, `Regression` or `Images`."""
