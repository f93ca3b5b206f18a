"""Prepared images, compared with what their files give now."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ganbench import tracked
from ganbench.default_plugins.datasets.image_files.decoding import Preparation, Unusable, decode
from ganbench.default_plugins.datasets.image_files.fingerprints import (
    Listing,
    content,
    in_threads,
    why_unreadable,
)
from ganbench.default_plugins.datasets.image_files.prepared import prepared, quiet_pillow

REMEDY = "where the file is right, remove the latter, which was decoded of it, and prepare again"
AT_ONCE = 16  # images that wait to be compared


def damaged(listing: Listing, how: Preparation) -> Iterator[str]:
    """Yield files that give something else than was prepared of them, and why, as sentences.

    Either the file or what was prepared of it is damaged.
    A file that gave no image when it was prepared, and gives none now, is not among them.
    """
    found = prepared(listing, how, as_it_is=True)
    with quiet_pillow():
        now = in_threads(partial(_now, listing.root, how=how), listing.names, AT_ONCE)
        rows = iter(found.images)
        for i, given in enumerate(tracked(now, "comparing pictures", len(listing.names))):
            was = None if i in found.unusable else next(rows).numpy().tobytes()
            if was == given or (was is None and isinstance(given, str)):
                continue
            why = given if isinstance(given, str) else f"differs from {found.path}; {REMEDY}"
            yield f"{listing.names[i]}: {why}"


def _now(root: Path, name: str, how: Preparation) -> bytes | str:
    try:
        return decode(content(root / name), how).values
    except Unusable as error:
        return str(error)
    except OSError as error:
        return why_unreadable(error)
