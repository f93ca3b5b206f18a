"""Memory that is freed stays with the process, unless its user has said what becomes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ganbench.util.allocator import KEEP_MEMORY, VARIABLE

# How many pages the kernel had to clear for 64 megabytes that were just freed.
FAULTS = """\
import ctypes, json, resource
from ganbench.util import allocator
if {keeps}:
    allocator.keep_memory()
libc, size = ctypes.CDLL(None), 2**26
libc.malloc.restype = ctypes.c_void_p
def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    place = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(size)))
    ctypes.memset(place, 1, size)
    libc.free(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
touch()
print(json.dumps([touch() for _ in range(5)]))
"""
HUGE = 2**21  # bytes of the largest pages

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="glibc's allocator is Linux's"
)


def faults(keeps: bool, **environment: str) -> int:
    """Return how many pages five times 64 megabytes cost."""
    kept = {k: v for k, v in os.environ.items() if k != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(keeps=keeps)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return sum(json.loads(done.stdout))


def test_memory_is_kept_and_costs_no_new_pages() -> None:
    before = faults(keeps=False)
    assert before >= 5 * 2**26 // HUGE
    assert faults(keeps=True) < before / 10


def test_what_the_user_has_chosen_stays() -> None:
    own = {VARIABLE: "glibc.malloc.mmap_threshold=1048576"}
    assert faults(keeps=True, **own) >= 5 * 2**26 // HUGE


def test_workers_variable_and_the_call_say_the_same() -> None:
    assert faults(keeps=False, **{VARIABLE: KEEP_MEMORY}) < 100
