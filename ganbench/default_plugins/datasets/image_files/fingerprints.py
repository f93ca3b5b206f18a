"""What pictures a folder holds, known by their content; and by their times, which is quicker."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganbench import tracked

In = TypeVar("In")
Out = TypeVar("Out")
Labels = Sequence[int | Sequence[float]]
"""Class ids, or vectors of numbers."""

AT_ONCE = 512  # items that threads are given together
MISSING, NOT_PLAIN = "missing", "not a plain file"
LARGEST, TOO_LARGE = 2**30, "larger than 1 GiB, and so no picture"
SETTLED = 3.0  # seconds after which a change to a file shows in its times, on any file system


@dataclass(frozen=True)
class Listing:
    """Pictures below a folder, with their labels, in an order that is the same everywhere."""

    root: Path
    names: Sequence[str]  # relative to the root, with /
    labels: Labels | None = None
    problems: tuple[str, ...] = ()  # what was left out while listing them
    remarks: tuple[str, ...] = ()  # what may be wrong with the list, as sentences
    ids: Sequence[str] = ()  # what users call the pictures; (): by their names


@dataclass(frozen=True)
class Times:
    """Sizes and times of all files of a listing."""

    digest: str
    settled: bool  # whether a file that changes from now on gets another time


def times(listing: Listing) -> Times:
    """Return what the sizes and times of all files are now, without reading them."""
    found = hashlib.sha256(os.fsencode(listing.root.resolve()))
    newest = 0.0
    for name in listing.names:
        found.update(os.fsencode(name))
        try:
            of = os.stat(listing.root / name)
        except OSError as error:
            found.update(f"|{error.strerror}\0".encode())
            continue
        found.update(f"|{of.st_size}|{of.st_mtime_ns}|{of.st_ctime_ns}|{of.st_mode}\0".encode())
        newest = max(newest, of.st_mtime, of.st_ctime)
    return Times(found.hexdigest(), newest + SETTLED < time.time())


def content_digests(listing: Listing) -> list[bytes | str]:
    """Return the SHA-256 of every file, or why it cannot be read."""
    found = in_threads(partial(_digest, listing.root), listing.names)
    return list(tracked(found, "reading pictures", len(listing.names)))


def passing(digest: bytes | str) -> bool:
    """Return whether a file was unreadable for a reason that its size and times do not show."""
    return isinstance(digest, str) and digest not in (MISSING, NOT_PLAIN, TOO_LARGE)


def combined(digests: Iterable[bytes | str], preparation: str) -> str:
    """Return one name for all these files, prepared so."""
    found = hashlib.sha256(preparation.encode())
    for digest in digests:
        found.update(digest if isinstance(digest, bytes) else f"|{digest}|".encode())
    return found.hexdigest()[:32]


def content(path: Path) -> bytes:
    """Read a file. Raises OSError, also of a pipe, from which to read could last for ever."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAITING)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, NOT_PLAIN)
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise OSError(None, TOO_LARGE)
        return file.read()


def in_threads(
    function: Callable[[In], Out], items: Sequence[In], at_once: int = AT_ONCE
) -> Iterator[Out]:
    """Yield the results in the order of the items, of which never more than `at_once` wait."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(items), at_once):
            yield from pool.map(function, items[start : start + at_once])


_NO_WAITING = getattr(os, "O_NONBLOCK", 0)


def _digest(root: Path, name: str) -> bytes | str:
    try:
        return hashlib.sha256(content(root / name)).digest()
    except OSError as error:
        return why_unreadable(error)


def why_unreadable(error: OSError) -> str:
    """Return why a file cannot be read, in the words of a message."""
    return MISSING if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
