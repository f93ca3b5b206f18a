"""A short run of benchmarks/fuzz/data_files.py: no damaged data file gives a traceback or hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz" / "data_files.py"


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_damaged_data_files_are_loaded_or_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--count", "8", "--seed", "8", "--ways", "python,prepare"],
        cwd=tmp_path,
        env=tiny.surroundings(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("8 data sets, 16 openings, 0 findings\n")
