"""What a file may ask for before anything of it is read: bytes that are there, and memory."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

MOST_ARRAYS = 10_000  # of a file
LONGEST_SIDE = 2**62


def size_of(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Return the bytes of an array, however large. Raises ValueError where there is no such one."""
    if min(shape, default=0) < 0:
        raise ValueError(f"its header says shape {shape}, and no side is below zero")
    if max(shape, default=0) > LONGEST_SIDE:  # also beside a side of zero
        raise ValueError(f"its header says shape {shape}, and no array is that long")
    if not dtype.itemsize:
        raise ValueError(f"its header says values of type {dtype}, which have no size")
    return math.prod(shape) * dtype.itemsize


def require_bytes(found: int, expected: int) -> None:
    """Raise ValueError where a file holds fewer values than its header says."""
    if found < expected:
        raise ValueError(f"{found:,} bytes of values, and its header says {expected:,}")


def require_memory(needed: int) -> None:
    """Raise ValueError where so many bytes are not free, before they are asked for."""
    if needed > (free := _free_memory()):
        raise ValueError(f"takes {needed:,} bytes of memory once read, and {free:,} are free")


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvail")) * 1024
    except (OSError, StopIteration):  # of another system, which says how much there is in all
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if _has_sysconf() else 2**36


def _has_sysconf() -> bool:
    return "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})
