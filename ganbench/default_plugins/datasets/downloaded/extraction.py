"""Archives, unpacked beside where their files belong and moved there whole."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ganbench import DataError, tracked


def unpack(archive: Path, parts: Sequence[Path], into: Path) -> None:
    """Give each of `parts`, files or folders at or below `into`, what the archive holds for it.

    A part that is there already is left alone; one that is missing appears whole or not at all.
    Raises DataError for an archive that is damaged, would write elsewhere, or lacks a part. Only
    one process at a time, please.
    """
    prefix = f".unpacking-{archive.name}-"
    for left in into.glob(f"{prefix}*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=into) as name:
        try:
            _extract(archive, Path(name))
        except (
            tarfile.TarError,
            zipfile.BadZipFile,
            gzip.BadGzipFile,
            lzma.LZMAError,
            zlib.error,
            EOFError,
        ) as error:
            raise DataError(f"{archive}: cannot be unpacked: {error}; remove the file") from error
        for part in parts:
            _move(Path(name) / part.relative_to(into), part, archive)


def _extract(archive: Path, into: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            _extract_zip(opened, into)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened:
            for member in tracked(opened, f"unpacking {archive.name}", 0):
                opened.extract(member, into, filter="data")
            while opened.fileobj and opened.fileobj.read(2**20):
                pass  # to the end, where the checksum of the packed bytes is compared
    else:
        gunzip(archive, into / archive.name.removesuffix(".gz"))
    for inner in into.rglob("*.gz"):  # EMNIST packs twice
        gunzip(inner, into / inner.name.removesuffix(".gz"))


def _extract_zip(opened: zipfile.ZipFile, into: Path) -> None:
    members = opened.infolist()
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        outside = path.is_absolute() or any(part == ".." or ":" in part for part in path.parts)
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(
                f"{opened.filename}: would write outside of its folder: '{member.filename}'; "
                "remove the file and get it from elsewhere"
            )
    for member in tracked(members, f"unpacking {Path(str(opened.filename)).name}", len(members)):
        opened.extract(member, into)


def gunzip(archive: Path, target: Path) -> None:
    """Unpack one file."""
    with gzip.open(archive, "rb") as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain, 2**20)


def _move(found: Path, part: Path, archive: Path) -> None:
    if part.exists():
        return
    if not found.exists():
        raise DataError(f"{archive}: holds no {part.name}; remove the file and get it again")
    part.parent.mkdir(parents=True, exist_ok=True)
    os.replace(found, part)
