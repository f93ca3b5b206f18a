"""A process that is asked to end, by a signal, while it does what can be gone on with later."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE_SECONDS = {"SIGTERM": 5.0, "SIGUSR1": None, "SIGUSR2": None}
"""How long each waits for `asked` to be heeded; None: whoever sends it kills when it is time."""

_heeded = threading.Event()  # whether somebody looks at `asked`
_asked = threading.Event()


def listen() -> None:
    """Have the signals heeded from now on, in this process."""
    for name in PATIENCE_SECONDS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _ask)


def asked() -> bool:
    """Whether this process is to end as soon as what it does can be gone on with."""
    return _asked.is_set()


@contextmanager
def heeded() -> Iterator[None]:
    """Look at `asked` now and then in the body. Elsewhere a signal ends the process at once."""
    _heeded.set()
    try:
        yield
    finally:
        _heeded.clear()


def _ask(number: int, frame: FrameType | None) -> None:
    if _asked.is_set() or not _heeded.is_set():
        _die(number)
    _asked.set()
    seconds = PATIENCE_SECONDS[signal.Signals(number).name]
    if seconds is not None:
        timer = threading.Timer(seconds, _die, [number])
        timer.daemon = True
        timer.start()


def _die(number: int) -> None:
    """End as the signal ends a process that does not handle it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    else:
        os._exit(128 + number)
