"""When commands that build many objects look for garbage among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def look_seldom_for_garbage() -> None:
    """Collect garbage seldom, in a command that builds many objects, drops few, and ends.

    To look for it as often as Python does by default takes a third of the time of ten thousand
    cells.
    """
    gc.set_threshold(200_000, 50, 50)


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile.

    Of millions of live values it finds none to free, and takes a third of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
