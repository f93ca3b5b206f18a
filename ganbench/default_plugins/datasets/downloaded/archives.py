"""Archives that data sets are published in: fetched, checked, and turned into files."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganbench import DataError, download
from ganbench.default_plugins.datasets.downloaded.checksums import (
    CHUNK,
    Checksums,
    Digest,
    described,
)
from ganbench.default_plugins.datasets.downloaded.extraction import unpack

Check = Callable[[Path], str | None]  # what is wrong with a file, or None
Fetch = Callable[["Origin", Path, Check], None]


@dataclass(frozen=True)
class Origin:
    """Where an archive is published."""

    urls: tuple[str, ...]
    md5: str
    content: str = ""  # SHA-256 of what is in a .gz, which whoever packs it anew leaves as it is


@dataclass(frozen=True)
class Archive:
    """One download, and the files or folders it becomes; all names are below the data folder."""

    name: str
    parts: tuple[str, ...]  # its own name alone: it is used as it is

    @property
    def packed(self) -> bool:
        """Whether it has to be unpacked, or is used as it is."""
        return self.parts != (self.name,)


def fetched(origin: Origin, target: Path, check: Check) -> None:
    """Download an archive to `target`. Raises DataError."""
    download(
        origin.urls,
        target,
        check,
        otherwise=f"bring {target.name} to {target.parent} another way",
    )


def bring(
    archive: Archive, origin: Origin, folder: Path, checksums: Checksums, fetch: Fetch
) -> dict[str, Any]:
    """Bring an archive's parts, from the user's copy or a download; return what to record of it.

    A copy that was fetched is removed once it is unpacked, as it would double the space. Only one
    process at a time, please. Raises DataError.
    """
    path = folder / archive.name
    ours = checksums.path.with_name(f"{path.name}.downloaded")  # also if we are killed before that
    known = checksums.archives.get(archive.name)
    for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed
        left.unlink()
    if not path.is_file():
        fetch(origin, path, lambda file: _difference(file, Digest.of(file), origin, known))
        ours.touch()
    digest = Digest.of(path)
    if why := _difference(path, digest, origin, known):
        raise DataError(f"{path}: {why}; remove the file and put the right one there")
    source = origin.urls[0] if ours.is_file() else "your copy"
    if archive.packed:
        unpack(path, [folder / part for part in archive.parts], path.parent)
        if ours.is_file():
            path.unlink()
    ours.unlink(missing_ok=True)
    return described(digest, source)


def _difference(
    path: Path, digest: Digest, origin: Origin, known: Mapping[str, Any] | None
) -> str | None:
    """Return how it differs from what was published, or from the SHA-256 of the first time."""
    if digest.md5 != origin.md5:
        if origin.content and _content(path) == origin.content:
            return None  # packed anew, as distributions of Linux do
        return f"{digest.size:,} bytes with MD5 {digest.md5}, expected {origin.md5}"
    if known and known["sha256"] != digest.sha256:
        return (
            f"other content than when it was first downloaded: SHA-256 {digest.sha256[:12]}…, "
            f"then {str(known['sha256'])[:12]}…"
        )
    return None


def _content(path: Path) -> str:
    """Return the SHA-256 of what is in a .gz; "" where it cannot be unpacked."""
    sha256 = hashlib.sha256()
    try:
        with gzip.open(path) as file:
            while part := file.read(CHUNK):
                sha256.update(part)
    except (OSError, EOFError, zlib.error):
        return ""
    return sha256.hexdigest()
