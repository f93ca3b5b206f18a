"""How long a part of the work took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note the seconds that the body takes under `name`, also where it raises."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = time.perf_counter() - started
