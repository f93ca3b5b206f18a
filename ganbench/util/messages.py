"""The phrases that error messages share."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

Loc = tuple[str | int, ...]


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def an(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def counted(count: int, noun: str) -> str:
    """`1 cell`, `2 cells`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def suggestion(name: object, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the nearest known name, or nothing."""
    lower = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).lower(), lower, n=1)
    return f"; did you mean '{lower[near[0]]}'?" if near else ""


def known(names: Iterable[str]) -> str:
    """The second line of a message: what was possible."""
    return f"\n  known: {', '.join(names) or 'none'}"


def brief(value: Any) -> str:
    """Text as it is, the rest as JSON, all of it short."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def shown(value: Any) -> str:
    """A value as a message quotes it."""
    return f"'{brief(value)}'" if isinstance(value, str) else brief(value)


def unknown_key(key: str, keys: Iterable[str], parent: Loc = ()) -> str:
    keys = list(keys)
    inside = f" in '{dotted(parent)}'" if parent else ""
    return f"unknown key '{key}'{inside}{suggestion(key, keys)}{known(keys)}"


def dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)
