"""An image of a data set with what users call it."""

from __future__ import annotations

from ganbench.contracts.images import LabeledImages
from ganbench.pictures.montage import Tile

LONGEST = 15  # characters of an id below a tile, which are its last ones


def tile(found: LabeledImages, row: int, *lines: str) -> Tile:
    """Return an image with its id below, of a long one the end, and what else is said of it."""
    called = name_of(found, row)
    called = called if len(called) <= LONGEST else f"…{called[1 - LONGEST :]}"
    return Tile(found.images[row], "\n".join([called, *lines]))


def name_of(found: LabeledImages, row: int) -> str:
    """Return an image's id: its place, from 0, where it has no other."""
    return found.ids[row] if found.ids else str(row)
