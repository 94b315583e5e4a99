"""Where things lie: the repository, the build under test, data."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("SLUICE_BUILD", ROOT / "build/release")).resolve()
BIN = BUILD / "bin"
DATA = ROOT / "tests/data"
EXAMPLE_MODELS = ROOT / "examples/models"

# Long tests multiply their claimed counts by this: 1 in a soak, about 1/20 otherwise.
SCALE = float(os.environ.get("SLUICE_SCALE", "0.05"))

# Sanitizers slow programs down; limits on time are stretched by this there.
SLOW = 5 if any(word in BUILD.name for word in ("asan", "tsan")) else 1


def scaled(count, at_least=1):
    """`count` times SCALE, printed, so that a log says what was run."""
    used = max(at_least, round(count * SCALE))
    print(f"count: {used} of {count}")
    return used
