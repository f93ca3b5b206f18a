"""File names made of the columns of a row."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping


class Digits(str):
    """Text that takes the formats of whole numbers, too: `{id:05d}` beside `{id:0>5}`."""

    def __format__(self, spec: str) -> str:
        try:
            return super().__format__(spec)
        except ValueError:
            return format(int(self), spec)


def named(pattern: str) -> set[str]:
    """Return the columns that a pattern names. Raises ValueError where it cannot be read."""
    found = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
    specs = (spec or "" for _, _, spec, _ in string.Formatter().parse(pattern))
    if any(re.search("[0-9]{4}", spec) for spec in specs):
        raise ValueError("it asks for a width of more than 999")
    if "" in found:
        raise ValueError("it has {} without a column's name")
    return found


def filled(pattern: str, values: Mapping[str, str]) -> str:
    """Return a row's name. Raises ValueError where a value does not fit, or leaves the folder."""
    name = ""
    for literal, column, spec, _ in string.Formatter().parse(pattern):
        name += literal
        if column is not None:
            name += format(Digits(values[column]), spec or "")
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or "" in parts or "\0" in name or ":" in parts[0]:
        raise ValueError(f"'{name}' is no name of a file in the folder")
    return name
