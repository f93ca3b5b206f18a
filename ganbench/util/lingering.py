"""Threads that outlive the work they were started for: waited for, but not for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

WAIT_SECONDS = 5.0


def end_soon(code: int) -> None:
    """Bound how long this process, whose work is done, waits for threads that a plugin left.

    Python itself waits for them without end. Those still at work then are named on standard error.
    """
    if _left():
        threading.Thread(target=_end, args=(code,), daemon=True).start()


def _left() -> list[str]:
    """Return the names of the threads that Python waits for."""
    here = (threading.main_thread(), threading.current_thread())
    return [t.name for t in threading.enumerate() if not t.daemon and t not in here]


def _end(code: int) -> None:
    time.sleep(WAIT_SECONDS)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # anyone's, or closed
            stream.flush()
    named = ", ".join(_left()) or "(unnamed)"
    message = f"ended with threads still at work after {WAIT_SECONDS:g} s: {named}\n"
    with suppress(OSError):
        os.write(2, message.encode("utf-8", "replace"))
    os._exit(code)
