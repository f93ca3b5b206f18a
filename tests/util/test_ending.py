"""A process that is asked to end does so at once, or when it is ready, as it says."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from helpers.tiny import surroundings

BEGIN = """\
import os, signal, sys, time
from ganbench.util import ending

ending.PATIENCE_SECONDS["SIGTERM"] = 0.3
ending.listen()
print("ready", flush=True)
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals here")


def ended(what: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + what],
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not done.stderr
    return done.returncode, done.stdout


def asking(name: str, then: str) -> str:
    """Ask the process while it looks whether it was."""
    return f"""\
with ending.heeded():
    assert not ending.asked()
    os.kill(os.getpid(), signal.{name})
    {then}
    while not ending.asked():
        pass
    time.sleep(0.6)
    print("kept")
"""


def test_where_nobody_heeds_it_the_process_ends_at_once() -> None:
    assert ended("os.kill(os.getpid(), signal.SIGUSR2)\nprint('after')") == (-12, "ready\n")
    heeded = "with ending.heeded():\n    pass\n"
    assert ended(f"{heeded}os.kill(os.getpid(), signal.SIGTERM)") == (-15, "ready\n")


def test_where_it_is_heeded_there_is_time() -> None:
    assert ended(asking("SIGUSR1", "pass")) == (0, "ready\nkept\n")


def test_asking_with_little_patience_or_twice_is_the_end() -> None:
    assert ended(asking("SIGTERM", "pass")) == (143, "ready\n")
    twice = asking("SIGUSR1", "os.kill(os.getpid(), signal.SIGUSR2)")
    assert ended(twice) == (-12, "ready\n")
