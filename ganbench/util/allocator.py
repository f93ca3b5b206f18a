"""The C library's allocator, told to keep what is freed.

A training step allocates the same tensors again and again. Left alone, glibc hands large ones back
to the kernel, which clears every page anew at the next step: a tenth of a step and more, and a
third of the time in which features are extracted. Other systems ignore all of this.
"""

from __future__ import annotations

import ctypes
import os
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = 2**30, 2**36  # bytes
VARIABLE = "GLIBC_TUNABLES"  # which a process heeds that begins with it
KEEP_MEMORY = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        f"glibc.malloc.mmap_threshold={MMAP_THRESHOLD}",
        f"glibc.malloc.trim_threshold={TRIM_THRESHOLD}",
    )
)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_MOST = 2**31 - 1  # that mallopt takes


def keep_memory() -> None:
    """Let this process keep memory from now on, unless its user has chosen how it does.

    Of KEEP_MEMORY only the huge pages are left out, which a process has from its beginning.
    """
    if VARIABLE in os.environ or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, min(TRIM_THRESHOLD, _MOST))
