"""Which images of a data set without a test set are held out as one."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence


def check(test_share: float, stratified: bool) -> None:
    """Raise ValueError for options that hold out no share, or nothing by class."""
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share must be in [0, 1), found {test_share:g}")
    if stratified and not test_share:
        raise ValueError("stratified says how test_share is drawn; give test_share")


def held_out(
    names: Sequence[str], share: float, classes: Sequence[int] | None = None
) -> list[bool]:
    """Return of each image whether it is for testing, chosen by the names.

    Without classes, what becomes of an image is the same whatever others there are. With the class
    of each, the share is that of every class, to the nearest whole number; one image of it stays.
    """
    if classes is None:
        return [_number(name) < share * 2**64 for name in names]
    of_class: defaultdict[int, list[int]] = defaultdict(list)
    for i, label in enumerate(classes):
        of_class[label].append(i)
    found = [False] * len(names)
    for members in of_class.values():
        drawn = sorted(members, key=lambda i: _number(names[i]))
        for i in drawn[: min(round(share * len(members)), len(members) - 1)]:
            found[i] = True
    return found


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big")
