"""What reads data and reports can be written without torch."""

from __future__ import annotations

import subprocess
import sys

from helpers import tiny

LIGHT = (
    "callbacks",
    "datasets",
    "executors",
    "feature_extractors",
    "images",
    "metrics",
    "reporters",
    "transforms",
)


def test_contracts_that_need_no_torch_do_not_import_it() -> None:
    names = ", ".join(f"ganbench.contracts.{name}" for name in LIGHT)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {names}\nassert 'torch' not in sys.modules"],
        env=tiny.surroundings(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
