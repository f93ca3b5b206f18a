"""How long each part of the work took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Clock:
    """Adds up the seconds of named parts, one of which may run within another."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}
        self._began: dict[str, float] = {}  # of the parts that still run

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the seconds that the body takes to those of `name`, also where it raises."""
        self._began[name] = time.perf_counter()
        try:
            yield
        finally:
            self.add({name: time.perf_counter() - self._began.pop(name)})

    def add(self, seconds: Mapping[str, float]) -> None:
        """Add what parts took elsewhere, such as before a trial was resumed."""
        for name, took in seconds.items():
            self._ended[name] = self._ended.get(name, 0.0) + took

    def seconds(self) -> dict[str, float]:
        """Return what each part took up to now, also of those that still run."""
        now, found = time.perf_counter(), dict(self._ended)
        for name, began in self._began.items():
            found[name] = found.get(name, 0.0) + now - began
        return found
