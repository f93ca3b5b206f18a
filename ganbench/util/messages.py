"""The phrases that error messages share."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

Loc = tuple[str | int, ...]
NEAR = 0.6  # of a name that may have been meant: twice the letters in common, of all of both


def quoted(names: Iterable[str]) -> str:
    """Return names in quotes, with commas between them."""
    return ", ".join(f"'{name}'" for name in names)


def an(noun: str) -> str:
    """Return the noun after its article: `a loss`, `an extractor`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 cell`, `2 cells`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def suggestion(name: object, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known name, or nothing where none is near.

    Of names that are equally near, the first is told.
    """
    told = str(name).lower()
    likeness = {
        candidate: difflib.SequenceMatcher(None, candidate.lower(), told).ratio()
        for candidate in known
    }
    near = max(likeness, key=likeness.__getitem__, default="")
    return f"; did you mean '{near}'?" if likeness.get(near, 0) >= NEAR else ""


def known(names: Iterable[str]) -> str:
    """Return the second line of a message: what was possible."""
    return f"\n  known: {', '.join(names) or 'none'}"


def brief(value: Any) -> str:
    """Return text as it is and the rest as JSON, cut to 60 characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def shown(value: Any) -> str:
    """Return a value as a message shows it: text in quotes, the rest as JSON, both short."""
    return f"'{brief(value)}'" if isinstance(value, str) else brief(value)


def unknown_key(key: str, keys: Iterable[str], parent: Loc = ()) -> str:
    """Return the message for a key that is not one of `keys`: the nearest, and all of them."""
    keys = list(keys)
    inside = f" in '{dotted(parent)}'" if parent else ""
    return f"unknown key '{key}'{inside}{suggestion(key, keys)}{known(keys)}"


def dotted(loc: Loc) -> str:
    """Return the place of a value in a document, such as `training.budget.kimg`."""
    return ".".join(str(part) for part in loc)
