"""Text as a terminal may have it."""

from __future__ import annotations

import re

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, of which tab and newline are left
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"  # of order, and halves
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff]"  # nothing to see, by which names differ
)


def terminal_text(text: str) -> str:
    r"""Return text in which nothing moves a cursor, hides or reorders: such characters as `\u001b`.

    What is strict JSON stays strict JSON of the same values.
    """
    if text.isascii() and text.isprintable():
        return text
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """Return `terminal_text` that stays within its line and column: tabs and newlines are shown."""
    return terminal_text(text).replace("\t", "\\u0009").replace("\n", "\\u000a")
