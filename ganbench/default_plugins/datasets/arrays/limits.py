"""What a file may ask for before anything of it is read: bytes that are there, and memory."""

from __future__ import annotations

import math

import numpy as np

from ganbench import DataError, Split, free_memory_bytes

MOST_ARRAYS = 10_000  # of a file
LONGEST_SIDE = 2**62
UNKNOWN = 2**36  # bytes that are taken for free where the system does not tell


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
    free = free_memory_bytes() or UNKNOWN
    if needed > free:
        raise ValueError(f"takes {needed:,} bytes of memory, and {free:,} are free")


def require_memory_for(name: str, split: Split, count: int, bytes_each: int) -> None:
    """Raise DataError where so many images, which a data set makes, do not fit into free memory."""
    try:
        require_memory(count * bytes_each)
    except ValueError as error:
        raise DataError(
            f"data set '{name}': a split '{split}' of {count:,} images {error}; lower {split}_size"
        ) from error
