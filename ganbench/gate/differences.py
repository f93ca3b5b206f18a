"""Where two nested values differ: settings, protocols, platforms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ganbench.util.messages import brief

ABSENT = object()  # in the place of what one side alone has


class Difference(NamedTuple):
    """A place, as in `schedule.betas[0]`, and what stands there on either side."""

    place: str
    before: Any
    after: Any

    @property
    def one_sided(self) -> bool:
        """Return whether one side has nothing in this place."""
        return ABSENT in (self.before, self.after)

    @property
    def sentence(self) -> str:
        """Return `schedule.g_lr 0.001, was 0.002`; what is absent is null."""
        was, now = (None if value is ABSENT else value for value in (self.before, self.after))
        return f"{self.place} {brief(now)}, was {brief(was)}"


def differences(
    before: Any, after: Any, *, rel_tol: float = 1e-12, place: str = ""
) -> Iterator[Difference]:
    """Yield every place in which two nested values differ, by the keys' order.

    Mappings are compared key by key, lists and tuples of one length item by item, and floats up to
    a relative tolerance.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(
                before.get(key, ABSENT),
                after.get(key, ABSENT),
                rel_tol=rel_tol,
                place=f"{place}.{key}" if place else str(key),
            )
    elif _is_list(before) and _is_list(after) and len(before) == len(after):
        for i, (a, b) in enumerate(zip(before, after, strict=True)):
            yield from differences(a, b, rel_tol=rel_tol, place=f"{place}[{i}]")
    elif not _same(before, after, rel_tol):
        yield Difference(place, before, after)


def sentences(before: Any, after: Any) -> list[str]:
    """Return the sentence of each difference but of those between null and what is absent."""
    return [
        found.sentence
        for found in differences(before, after)
        if not {id(found.before), id(found.after)} <= {id(None), id(ABSENT)}
    ]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _same(a: Any, b: Any, rel_tol: float) -> bool:
    if _is_number(a) and _is_number(b) and float in (type(a), type(b)):
        return math.isclose(a, b, rel_tol=rel_tol)
    return bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
