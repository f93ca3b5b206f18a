"""How the kernel fetches what lies in a mapped file and is larger than memory can hold."""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor

from ganbench.util import machine

logger = logging.getLogger(__name__)

SHARE = 0.5  # of the memory: the rest is for all else that a trial needs


def at_random(values: Tensor) -> AbstractContextManager[None]:
    """Meanwhile, read no pages of `values` but those asked for, if they fill half of memory.

    With each page the kernel otherwise reads its neighbours, which push out what the next batches
    want: a training on shuffled images, four times what memory had room for, took seven times as
    long. Where there is room, neighbours are read as ever; and of what is no file nothing changes.
    """
    return _reading(values, "MADV_RANDOM", "MADV_NORMAL")


def in_order(values: Tensor) -> AbstractContextManager[None]:
    """Meanwhile, read neighbours again; for use inside `at_random`."""
    return _reading(values, "MADV_NORMAL", "MADV_RANDOM")


@contextmanager
def _reading(values: Tensor, meanwhile: str, after: str) -> Iterator[None]:
    memory = machine.memory_bytes()
    size = values.untyped_storage().nbytes()
    scarce = memory is not None and size > SHARE * memory
    if not scarce or values.device.type != "cpu" or not hasattr(mmap, meanwhile):
        yield
        return
    _advise(values, getattr(mmap, meanwhile))
    try:
        yield
    finally:
        _advise(values, getattr(mmap, after))


def _advise(values: Tensor, advice: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    storage = values.untyped_storage()
    first = storage.data_ptr()
    start = first - first % mmap.PAGESIZE
    length = ctypes.c_size_t(first + storage.nbytes() - start)
    if library.madvise(ctypes.c_void_p(start), length, advice):
        why = os.strerror(ctypes.get_errno())
        logger.warning(
            "the kernel takes no advice on how to read the images (%s); training may be slow, "
            "as they are more than memory holds",
            why,
        )
