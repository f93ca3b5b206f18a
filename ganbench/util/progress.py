"""How far a long loop has come, told to whoever wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Observer = Callable[[str, int, int], object]
"""Called with what is being done, how many are done, and how many there are."""

INTERVAL = 0.1  # seconds between two calls of an observer

_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Let `observer` know of every tracked loop that runs inside, at most ten times a second."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def tracked(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Yield the items; an observer hears of 0, of some counts between, and of the last one."""
    tell = _observer.get()
    if tell is None:
        yield from items
        return
    tell(what, 0, total)
    told = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - told >= INTERVAL:
            tell(what, done, total)
            told = time.monotonic()
    tell(what, done, total)
