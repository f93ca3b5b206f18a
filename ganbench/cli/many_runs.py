"""Runs that a command takes as one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganbench.records.run_folder import Run


def merged(places: Sequence[Path], duplicates: str) -> tuple[Run, list[Run]]:
    """Return the runs in these folders as one, and each; what is damaged is told on stderr."""
    from ganbench.archive import merge

    runs, damaged = merge.read(places)
    for why in damaged:
        print(f"warning: left out: {why}", file=sys.stderr)
    return merge.merged(runs, damaged, first_wins=duplicates == "first"), runs
