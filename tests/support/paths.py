"""Where the project lies, for tests at any depth."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
REFERENCE = ROOT / "results" / "reference"
