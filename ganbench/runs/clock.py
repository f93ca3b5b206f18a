"""How long a part of the work took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds that the body takes to those of `name`, also where it raises."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
