"""Data sets that torchvision knows: where they come from, and how their files become trusted.

torchvision says where each is published, what its MD5 sums are and how its files are laid out.
Downloading and unpacking are our own: torchvision's leave half-written files where they are killed,
and extract archives without looking at what is in them.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import filelock

from ganbench import DataError, Dataset, DatasetStatus, LabeledImages, Split, offline
from ganbench.default_plugins.datasets.downloaded.archives import (
    Archive,
    Check,
    Origin,
    bring,
    fetched,
)
from ganbench.default_plugins.datasets.downloaded.checksums import Checksums, Digest


@dataclass(kw_only=True)
class DownloadedDataset(Dataset):
    """Downloaded on first use, where that is allowed; checked then, and held to it ever after."""

    features = "pixels"
    root: str | None = None  # a copy of your own, laid out as torchvision does; never written
    home: ClassVar[str] = "."  # below the data folder, where torchvision's layout begins
    published: ClassVar[int]  # images of its training set

    @abstractmethod
    def archives(self) -> Sequence[Archive]:
        """Return every download, without importing torchvision."""

    @abstractmethod
    def origin(self, archive: Archive) -> Origin:
        """Return where torchvision says that it is published."""

    @abstractmethod
    def read(self, split: Split, folder: Path) -> LabeledImages:
        """Return the split, from files that are all there and have been checked."""

    def parts(self) -> tuple[str, ...]:
        """Return the files and folders that these options need."""
        return tuple(part for archive in self.archives() for part in archive.parts)

    def md5_of_parts(self) -> Mapping[str, str]:
        """Return the MD5 of those parts that torchvision has a sum for."""
        whole = [archive for archive in self.archives() if not archive.packed]
        return {archive.name: self.origin(archive).md5 for archive in whole}

    def num_images(self) -> int | None:
        return None if self.root is not None else self.published  # a copy may be part of it

    def load(self, split: Split, root: Path) -> LabeledImages:
        if why := self.unreadable():
            raise DataError(why)
        folder = self._folder(root)
        missing = self._missing(folder)
        if missing and not self._obtainable(folder):
            raise DataError(f"data set '{self.name}': {self._lacks(folder, missing)}")
        if self.root is None:
            self._provide(folder)
        if damaged := self._damaged(folder, thorough=False):
            raise DataError(f"data set '{self.name}': {self._is_damaged(folder, damaged)}")
        return self.read(split, folder)

    def status(self, root: Path) -> DatasetStatus:
        folder = self._folder(root)
        why = self.unreadable()
        where = str(self._where(folder))
        if missing := self._missing(folder):
            on_use = why is None and self._obtainable(folder)
            note = "downloaded on first use" if on_use else why or self._lacks(folder, missing)
            return DatasetStatus(where, False, None, note, on_use)
        if damaged := self._damaged(folder, thorough=False):
            return DatasetStatus(where, True, False, self._is_damaged(folder, damaged))
        verified = self._covered(folder) or set(self.parts()) <= set(self.md5_of_parts())
        return DatasetStatus(where, True, True if verified else None, why or "")

    def damage(self, root: Path) -> list[str]:
        """Return the damaged files, by reading all of them."""
        return self._damaged(self._folder(root), thorough=True)

    def unreadable(self) -> str | None:
        """Return why its files cannot be read on this machine, or None."""
        return None

    def unreachable(self) -> str | None:
        """Return why this machine cannot download them even where that is allowed, or None."""
        return None

    def fetch(self, origin: Origin, target: Path, check: Check) -> None:
        """Download one archive to `target`. Raises DataError."""
        fetched(origin, target, check)

    def _folder(self, root: Path) -> Path:
        return root / self.home if self.root is None else Path(os.path.expanduser(self.root))

    def _where(self, folder: Path) -> Path:
        """Return the folder that all parts lie below."""
        return folder / os.path.commonpath([Path(part).parent for part in self.parts()])

    def _missing(self, folder: Path) -> list[str]:
        return [part for part in self.parts() if not _is_there(folder / part)]

    def _covered(self, folder: Path) -> bool:
        return self.root is None and Checksums(folder, self.name).covers(self.parts())

    def _damaged(self, folder: Path, *, thorough: bool) -> list[str]:
        """Return damaged files by what was recorded; where nothing was, by torchvision's sums."""
        if self._covered(folder):
            return Checksums(folder, self.name).damaged(self.parts(), thorough=thorough)
        sums = self.md5_of_parts()
        return [
            part
            for part in self.parts()
            if part in sums and Digest.of(folder / part).md5 != sums[part]
        ]

    def _provide(self, folder: Path) -> None:
        """Download and unpack what is missing, and record what is new; one process at a time."""
        if not self._missing(folder) and self._covered(folder):
            return
        lock = folder / "checksums" / f"{self.name}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            held = filelock.FileLock(lock).acquire()
        except OSError as error:
            if not self._missing(folder):
                return  # of a folder that cannot be written, in which all is there
            raise DataError(
                f"{folder}: {error.strerror}; data set '{self.name}' is kept there, and "
                "GANBENCH_DATA names another folder"
            ) from error
        with held:
            try:
                self._complete(folder)
            except OSError as error:
                raise DataError(
                    f"{error.filename or folder}: {error.strerror}; data set '{self.name}' is kept "
                    f"in {folder}, and GANBENCH_DATA names another folder"
                ) from error

    def _complete(self, folder: Path) -> None:
        checksums = Checksums(folder, self.name)
        got: dict[str, dict[str, Any]] = {}
        for archive in self.archives():
            if any(part in self._missing(folder) for part in archive.parts):
                got[archive.name] = bring(
                    archive, self.origin(archive), folder, checksums, self.fetch
                )
        there = [p for a in self.archives() for p in a.parts if _is_there(folder / p)]
        if (got or not checksums.covers(there)) and not self._damaged(folder, thorough=False):
            checksums.record(there, got)

    def _may_download(self) -> bool:
        return not offline() and self.unreachable() is None

    def _obtainable(self, folder: Path) -> bool:
        """Return whether loading it brings it."""
        if self.root is not None:
            return False
        missing = set(self._missing(folder))
        wanted = [a for a in self.archives() if missing & set(a.parts)]
        return self._may_download() or all((folder / a.name).is_file() for a in wanted)

    def _lacks(self, folder: Path, missing: Sequence[str]) -> str:
        """Return where it was looked for, and what to do."""
        where = self._where(folder)
        names = [os.path.relpath(folder / part, where) for part in missing]
        lacks = f"{where} lacks {_few(names)}"
        if self.root is not None:
            return f"{lacks}, which torchvision would keep there"
        wanted = [folder / a.name for a in self.archives() if set(a.parts) & set(missing)]
        why = self.unreachable()
        remedy = why or "downloads are forbidden by --offline or GANBENCH_OFFLINE: allow them"
        return (
            f"{lacks}; {remedy}, or copy {_few([path.name for path in wanted])} to "
            f"{wanted[0].parent}, or name a folder laid out as torchvision does as `root`"
        )

    def _is_damaged(self, folder: Path, damaged: Sequence[str]) -> str:
        prepare = f"run `ganbench datasets prepare {self.name}`"
        after = prepare if self.root is None else "put the right ones there"
        return f"damaged in {folder}: {_few(damaged)}; remove them and {after}"


def _is_there(path: Path) -> bool:
    """Return whether there is a file or a folder; from a pipe, to read could last for ever."""
    return path.is_file() or path.is_dir()


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f", … ({len(names)} in all)" if names[4:] else "")
