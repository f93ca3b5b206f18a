"""A .zip of pictures, read as the folder that it holds.

Its pictures and tables are unpacked once into the cache, below `pictures/unpacked`, by the SHA-256
of the archive. All of it may be removed at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import filelock

from ganbench import DataError, cache, tracked

ENDING = ".zip"
WHOLE = ".whole"  # a file that is written last
LARGEST = 2**30  # bytes of one file, beyond which it is no picture
MOST_FILES = 10**7
DENSE, FREELY = 200, 2**30  # times that pictures shrink at most, looked at beyond so many bytes
ENCRYPTED = 0x1
PART = 2**20


def unpacked(path: Path) -> Path | None:
    """Return the folder that a path is in an archive: `birds.zip`, or `birds.zip/train`.

    None where no part of it is one. Raises DataError for an archive that is damaged or encrypted,
    would write elsewhere, or is of an absurd size.
    """
    for archive in (path, *path.parents):
        if archive.suffix.lower() == ENDING and archive.is_file():
            about = archive.stat()
            root = _root(str(archive.absolute()), about.st_size, about.st_mtime_ns)
            inner = root / path.relative_to(archive)
            return inner if inner.is_dir() else None
    return None


@lru_cache(maxsize=64)
def _root(name: str, size: int, changed: int) -> Path:
    """Return the folder of an archive of this size and time, unpacked where it is not yet."""
    archive = Path(name)
    try:
        home = cache() / "pictures" / "unpacked"
        home.mkdir(parents=True, exist_ok=True)
        key = _digest(archive)
        place = home / f"{archive.stem}-{key}"
        with filelock.FileLock(home / f"{key}.lock"):
            if not (place / WHOLE).exists():
                shutil.rmtree(place, ignore_errors=True)
                _unpack(archive, place)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{archive}: cannot be unpacked: {error}; get or make it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked: {error.strerror or error}") from error
    return _only_folder(place)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            found.update(part)
    return found.hexdigest()[:16]


def _only_folder(place: Path) -> Path:
    """Return the folder that an archive holds, where it holds nothing else."""
    there = [path for path in place.iterdir() if path.name != WHOLE]
    return _only_folder(there[0]) if len(there) == 1 and there[0].is_dir() else place


def _unpack(archive: Path, place: Path) -> None:
    with (
        zipfile.ZipFile(archive) as opened,
        tempfile.TemporaryDirectory(prefix=".unpacking-", dir=place.parent) as name,
    ):
        members = list(_wanted(archive, opened))
        _check_size(archive, members, shutil.disk_usage(place.parent).free)
        for member in tracked(members, f"unpacking {archive.name}", len(members)):
            opened.extract(member, name)
        os.rename(name, place)
        (place / WHOLE).touch()
        os.mkdir(name)  # which is removed


def _wanted(archive: Path, opened: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Yield folders and files, but for hidden ones and what macOS adds."""
    for member in opened.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        outside = path.is_absolute() or any(part == ".." or ":" in part for part in path.parts)
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(
                f"{archive}: '{member.filename}' leaves the folder that it is unpacked into; "
                "get the archive from elsewhere, or give the folder"
            )
        if any(part.startswith(".") or part == "__MACOSX" for part in path.parts):
            continue
        if member.flag_bits & ENCRYPTED:
            raise DataError(
                f"{archive}: '{member.filename}' is encrypted; unpack it with its password, and "
                "give the folder"
            )
        yield member


def _check_size(archive: Path, members: list[zipfile.ZipInfo], free: int) -> None:
    """Raise DataError for what is too large to be pictures, or for the disk."""
    if len(members) > MOST_FILES:
        raise DataError(f"{archive}: {len(members):,} files; at most {MOST_FILES:,} are unpacked")
    if large := next((one for one in members if one.file_size > LARGEST), None):
        raise DataError(
            f"{archive}: '{large.filename}' is of {_gigabytes(large.file_size)} unpacked, and so "
            "no picture; leave it out"
        )
    size = sum(one.file_size for one in members)
    packed = sum(one.compress_size for one in members)
    if size > FREELY and size > DENSE * packed:
        raise DataError(
            f"{archive}: {_gigabytes(size)} unpacked of {_gigabytes(packed)}, which no pictures "
            "are; give the folder"
        )
    if size > free:
        raise DataError(
            f"{archive}: unpacking needs {_gigabytes(size)}, and {_gigabytes(free)} are free; "
            "GANBENCH_CACHE names another folder"
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.2g} GB" if size < 1e11 else f"{size / 1e9:,.0f} GB"
