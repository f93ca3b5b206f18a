"""A short run of benchmarks/fuzz/data_files.py: no damaged data file gives a traceback or hangs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers import tiny, warm

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "fuzz"


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_damaged_data_files_are_loaded_or_refused(tmp_path):
    done = warm.run(
        "data_files",
        *("--count", "8", "--seed", "8", "--ways", "python,prepare"),
        cwd=tmp_path,
        environment=tiny.surroundings(PYTHONPATH=str(SCRIPTS)),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("8 data sets, 16 openings, 0 findings\n")
