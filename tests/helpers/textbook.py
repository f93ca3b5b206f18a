"""The files of benchmarks/textbook."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks" / "textbook"
FILES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
