"""What the user may have mistyped, and what there was to choose from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

COMPARED, LONGEST = 10_000, 200  # names, and letters of the one that is unknown: else it takes long


def unknown(name: object, known: Iterable[str]) -> str:
    """Return the end of a sentence that says there is no such name: the nearest, and all."""
    names = list(known)
    lower = {candidate.lower(): candidate for candidate in names}
    lower = lower if len(names) <= COMPARED and len(str(name)) <= LONGEST else {}
    near = difflib.get_close_matches(str(name).lower(), lower, n=1)
    guess = f"; did you mean '{lower[near[0]]}'?" if near else ""
    return f"{guess}\n  known: {shortened(names)}"


def shortened(names: Iterable[str], most: int = 40) -> str:
    """Return the first of the names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return (", ".join(listed[:most]) or "none") + more
