"""A process whose work is done ends, whatever threads are still at work."""

from __future__ import annotations

import subprocess
import sys
import time

from helpers.tiny import surroundings

BEGIN = """\
import atexit, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from ganbench.util import lingering

lingering.WAIT_SECONDS = 0.3
atexit.register(print, "at the end", flush=True)
print("done")
"""


def ended(what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{BEGIN}{what}\nlingering.end_soon(3)\nsys.exit(3)"],
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_thread_that_never_ends_is_named_and_ends_with_the_process():
    began = time.monotonic()
    done = ended("threading.Thread(target=time.sleep, args=(50,), name='uploader').start()")
    assert time.monotonic() - began < 45
    assert (done.returncode, done.stdout) == (3, "done\n")
    assert done.stderr == "ended with threads still at work after 0.3 s: uploader\n"


def test_threads_that_end_in_time_are_waited_for():
    pool = "ThreadPoolExecutor().submit(print, 'idle', flush=True).result()"  # its thread waits on
    late = "threading.Timer(0.05, print, ('late',), {'flush': True}).start()"
    done = ended(f"{pool}\n{late}")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == "done\nidle\nlate\nat the end\n"


def test_nothing_left_is_nothing_to_wait_for():
    done = ended("threading.Thread(target=time.sleep, args=(50,), daemon=True).start()")
    assert (done.returncode, done.stdout, done.stderr) == (3, "done\nat the end\n", "")
