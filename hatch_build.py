"""Gives the wheel the benchmark files of `benchmarks`, as `ganbench/shipped`.

The repository has one copy of each, which an editable install finds (ganbench/config/shipped.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = "ganbench/shipped"


class Shipped(BuildHookInterface):
    """Adds the files to wheels, those of textbooks with their small parts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add them to a wheel that is no editable one."""
        if version == "standard":
            build_data["force_include"] |= shipped(Path(self.root) / "benchmarks")


def shipped(benchmarks: Path) -> dict[str, str]:
    """Return where in the wheel each file of `benchmarks` goes that users run."""
    files = {str(path): f"{SHIPPED}/{path.name}" for path in sorted(benchmarks.glob("*.yaml"))}
    return {**files, str(benchmarks / "textbook"): f"{SHIPPED}/textbook"}
