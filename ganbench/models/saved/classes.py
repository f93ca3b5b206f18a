"""Which class is meant by what a user gives: text is a class's name, a number its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from ganbench.errors import ConfigError
from ganbench.util.messages import known, shown, suggestion


@dataclass(frozen=True)
class Meant:
    """A class, and what is to be said of how it was told."""

    index: int  # from 0
    doubt: str = ""  # the text is a name, and might have been meant as a number
    outdated: str = ""  # the text is a number, which the next release refuses


def meant(asked: object, names: Sequence[str], where: str) -> Meant:
    """Return which of the classes is asked for: by name, by number, or by #NUMBER in text.

    Raises ConfigError, which begins with `where`, for a class that there is not.
    """
    if isinstance(asked, str):
        return _by_text(asked, names, where)
    if not isinstance(asked, Integral) or isinstance(asked, bool):
        kind = type(asked).__name__
        raise ConfigError(
            f"{where}: expected a class's name or number, found {_told(asked)} ({kind})"
        )
    if 0 <= int(asked) < len(names):
        return Meant(int(asked))
    raise ConfigError(f"{where}: no class of id {asked}{_possible(names)}")


def all_meant(asked: Any, count: int, names: Sequence[str], where: str) -> list[Meant]:
    """Return the class of each of `count` images, of a list, an array or a tensor.

    Raises ConfigError.
    """
    if not isinstance(asked, Sequence):
        kind = type(asked).__name__
        raise ConfigError(f"{where}: expected a class, or a list with one for each, found a {kind}")
    if len(asked) != count:
        raise ConfigError(f"{where}: expected {count} labels, found {len(asked)}")
    return [meant(one, names, where) for one in asked]


def _by_text(text: str, names: Sequence[str], where: str) -> Meant:
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else None
    if text in names:
        index = names.index(text)
        if number is None or number == index or number >= len(names):
            return Meant(index)
        doubt = (
            f"{text} is the class of this name; write #{text} for class {number}, '{names[number]}'"
        )
        return Meant(index, doubt=doubt)
    if re.fullmatch("#[0-9]{1,9}", text) and int(text[1:]) < len(names):
        return Meant(int(text[1:]))
    if number is None or number >= len(names):
        near = suggestion(text, names)
        raise ConfigError(f"{where}: no class '{text}'{near}{_possible(names)}")
    outdated = (
        f"no class is called '{text}', and class {number}, '{names[number]}', is taken; write "
        f"#{text} for it, or from Python the number {text}: the next release refuses '{text}'"
    )
    return Meant(number, outdated=outdated)


def _possible(names: Sequence[str]) -> str:
    if not names:
        return "; the data has no classes"
    ids = f"ids from 0 to {len(names) - 1}, as text #0 to #{len(names) - 1}"
    plain = list(names) == list(map(str, range(len(names))))
    return f"; the classes are {ids}" if plain else f"{known(names)}, or {ids}"


def _told(value: object) -> str:
    return shown(value if isinstance(value, float | int | bool | None) else str(value))
