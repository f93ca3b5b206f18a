"""What a trial that is done leaves in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ganbench.models.saved.files import CARD, CONFIG, WEIGHTS
from ganbench.pictures import progress
from ganbench.records.run_info import Kept

MODEL = (WEIGHTS, CONFIG, CARD)
PICTURES = (".png", ".gif")


def remove(directory: Path, keep: Kept) -> None:
    """Remove what is not to be kept of a trial; what callbacks wrote stays, but for pictures."""
    if keep == "model":
        return
    for name in MODEL:
        (directory / name).unlink(missing_ok=True)
    if keep == "numbers":
        shutil.rmtree(directory / progress.FOLDER, ignore_errors=True)
        for path in list(_pictures(directory)):
            path.unlink(missing_ok=True)


def _pictures(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.suffix in PICTURES)
