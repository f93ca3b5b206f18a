"""IDX files, MNIST's (LeCun et al., 1998): two zeros, the type, the rank, the sizes, the values."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench import DataError
from ganbench.default_plugins.datasets.arrays.limits import require_memory, size_of

AT_ONCE = 2**24  # bytes that are unpacked together
TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


@dataclass(frozen=True)
class Header:
    """The type and the sizes of a file's one array."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def offset(self) -> int:
        """The bytes before the first value."""
        return 4 + 4 * len(self.shape)


def header(path: Path) -> Header:
    """Return a file's header. Raises DataError where it is no IDX file, or is not whole."""
    start = _content(path, 4 + 4 * 255)
    rank = start[3] if len(start) > 3 else 0
    if start[:2] != b"\0\0" or start[2] not in TYPES or not rank:
        raise DataError(f"{path}: no IDX file: it begins with {start[:4].hex(' ') or 'nothing'}")
    if len(start) < 4 + 4 * rank:
        raise DataError(f"{path}: ends within its header; get the file again")
    sizes = np.frombuffer(start, ">u4", rank, 4)
    about = Header(np.dtype(TYPES[start[2]]), tuple(int(size) for size in sizes))
    if path.suffix != ".gz":
        _check_size(path, about, path.stat().st_size)
    return about


def read(path: Path) -> NDArray[Any]:
    """Return the array in the machine's byte order, mapped into memory unless it is packed."""
    about = header(path)
    if path.suffix == ".gz":
        whole = about.offset + size_of(about.shape, about.dtype)
        require_memory(whole)
        values = np.frombuffer(bytearray(_content(path, whole + 1)), np.uint8)
        _check_size(path, about, len(values))
    else:
        values = np.memmap(path, np.uint8, "c")
    array = values[about.offset :].view(about.dtype).reshape(about.shape)
    return array.astype(about.dtype.newbyteorder("="), copy=False)


def _check_size(path: Path, about: Header, size: int) -> None:
    expected = size_of(about.shape, about.dtype)
    if (found := size - about.offset) != expected:
        raise DataError(
            f"{path}: {found:,} bytes of values, and its header says {expected:,}; get the file "
            "again"
        )


def _content(path: Path, count: int) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            parts = bytearray()
            while part := file.read(min(count - len(parts), AT_ONCE)):
                parts += part
            return bytes(parts)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
