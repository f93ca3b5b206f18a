"""How the kernel fetches what lies in a mapped file and is larger than memory can hold."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ganbench import machine

SHARE = 0.5  # of the memory: the rest is for all else that a trial needs


@contextmanager
def at_random(values: Tensor) -> Iterator[None]:
    """Meanwhile, read only those pages of `values` that are asked for, if memory cannot hold all.

    With each page the kernel otherwise reads its neighbours, which push out what the next batches
    want: a training on shuffled images, four times what memory had room for, took seven times as
    long. Where there is room, neighbours are read as ever; and of what is no file nothing changes.
    """
    memory = machine.memory_bytes()
    size = values.untyped_storage().nbytes()
    scarce = memory is not None and size > SHARE * memory
    if not scarce or values.device.type != "cpu" or not hasattr(mmap, "MADV_RANDOM"):
        yield
        return
    _advise(values, mmap.MADV_RANDOM)
    try:
        yield
    finally:
        _advise(values, mmap.MADV_NORMAL)


def _advise(values: Tensor, advice: int) -> None:
    """Raises OSError where the kernel does not take it."""
    library = ctypes.CDLL(None, use_errno=True)
    storage = values.untyped_storage()
    first = storage.data_ptr()
    start = first - first % mmap.PAGESIZE
    length = ctypes.c_size_t(first + storage.nbytes() - start)
    if library.madvise(ctypes.c_void_p(start), length, advice):
        raise OSError(ctypes.get_errno(), "madvise")
