"""The SHA-256 of every file of a data set, as it was when it came, and whether it still is.

Those who publish these data sets give MD5 sums at most. What was got once and had the right MD5 is
trusted, its SHA-256 is kept beside it, and it is held to that ever after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganbench import tracked, write_atomically

CHUNK = 2**20


@dataclass(frozen=True)
class Digest:
    """The size and the sums of one file."""

    size: int
    md5: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Digest:
        """Read a file once, for both sums."""
        md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
        with path.open("rb") as file:
            while part := file.read(CHUNK):
                md5.update(part)
                sha256.update(part)
                size += len(part)
        return cls(size, md5.hexdigest(), sha256.hexdigest())


class Checksums:
    """What is known of the files below a data folder; `path` is where that is kept."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.path = folder / "checksums" / f"{name}.json"
        self._known = _read(self.path)

    @property
    def archives(self) -> dict[str, dict[str, Any]]:
        """What was recorded of each archive."""
        return self._known["archives"]

    def covers(self, parts: Iterable[str]) -> bool:
        """Return whether all of these, files or folders, have been recorded."""
        files = self._known["files"]
        folders = {name.rpartition("/")[0] for name in files}
        return all(part in files or part in folders for part in parts)

    def damaged(self, parts: Iterable[str], *, thorough: bool) -> list[str]:
        """Return the files that are not as recorded.

        Those of unchanged size and time are read only where `thorough`.
        """
        wanted = tuple(parts)
        files = {n: f for n, f in self._known["files"].items() if _within(n, wanted)}
        found = tracked(files.items(), "verifying", len(files)) if thorough else files.items()
        return [name for name, known in found if not self._holds(name, known, thorough)]

    def record(self, parts: Iterable[str], archives: dict[str, dict[str, Any]]) -> None:
        """Keep the sums of these files, and of all files of these folders."""
        names = sorted(name for part in parts for name in _files(self.folder, part))
        files = {
            name: self._described(name) for name in tracked(names, "taking checksums", len(names))
        }
        whole = {
            "files": {**self._known["files"], **files},
            "archives": {**self.archives, **archives},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(whole, indent=0)
        write_atomically(self.path, lambda temporary: temporary.write_text(text, "utf-8"))
        self._known = whole

    def _described(self, name: str) -> list[Any]:
        path = self.folder / name
        return [path.stat().st_size, path.stat().st_mtime_ns, Digest.of(path).sha256]

    def _holds(self, name: str, known: list[Any], thorough: bool) -> bool:
        size, time, sha256 = known
        path = self.folder / name
        try:
            now = path.stat()
            if now.st_size != size:
                return False
            unchanged = now.st_mtime_ns == time and not thorough
            return unchanged or Digest.of(path).sha256 == sha256
        except OSError:
            return False


def _read(path: Path) -> dict[str, Any]:
    """Return a record, empty where it is missing or damaged: then it is taken anew."""
    try:
        found = json.loads(path.read_text("utf-8"))
        files, archives = dict(found["files"]), dict(found["archives"])
        if all(len(known) == 3 for known in files.values()):
            return {"files": files, "archives": archives}
    except (OSError, ValueError, TypeError, KeyError):
        pass
    return {"files": {}, "archives": {}}


def _within(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}/") for part in parts)


def _files(folder: Path, part: str) -> Iterator[str]:
    path = folder / part
    for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if found.is_file():
            yield found.relative_to(folder).as_posix()


def described(digest: Digest, url: str) -> dict[str, Any]:
    """Return an archive as a record has it."""
    return {**asdict(digest), "from": url}
