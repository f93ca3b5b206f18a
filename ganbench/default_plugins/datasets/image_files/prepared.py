"""Pictures decoded once, into a file that is mapped into memory and found again by their content.

In the cache folder, `pictures/KEY.u8` holds the values of the images, one after another, and
`KEY.json` how many there are and which files gave none; it is written last and makes a pair whole.
`times/DIGEST` names the key that files of these sizes and times had, so that the next start need
not read them. All of it may be removed at any time.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import filelock
import numpy as np
import torch
from torch import Tensor

from ganbench import DataError, cache, tracked, write_atomically
from ganbench.default_plugins.datasets.image_files.decoding import (
    VERSION,
    Decoded,
    Preparation,
    Unusable,
    decode,
)
from ganbench.default_plugins.datasets.image_files.depth import SixteenBits
from ganbench.default_plugins.datasets.image_files.fingerprints import (
    AT_ONCE,
    Listing,
    combined,
    content,
    content_digests,
    in_threads,
    passing,
    times,
    why_unreadable,
)
from ganbench.default_plugins.datasets.image_files.sizes import OddSizes, Size

WAITING = 64 * 2**20  # bytes of decoded images that wait to be written

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The images of the files that gave one, in their order."""

    images: Tensor  # (N, C, H, W) uint8
    unusable: dict[int, str]  # by the position in the listing: why a file gave none
    path: Path  # where the decoded copy is
    sixteen_bits: SixteenBits
    odd_sizes: OddSizes


@dataclass
class _Seen:
    """What is noted of files while they are decoded."""

    unusable: dict[int, str] = field(default_factory=dict)
    brightest: list[int] = field(default_factory=list)  # of each picture of 16 bits
    sizes: list[Size] = field(default_factory=list)


def home() -> Path:
    """Return where prepared pictures are kept."""
    return cache() / "pictures"


def prepared(listing: Listing, how: Preparation, *, as_it_is: bool = False) -> Prepared:
    """Return what the files give, decoded now or at an earlier start. Raises DataError.

    What was decoded is held to its SHA-256, and made again where it has changed; `as_it_is` is for
    who looks for changes.
    """
    with _room_for(listing):
        preparation = json.dumps([VERSION, how.key()])
        seen = times(listing)
        short = hashlib.sha256(f"{seen.digest}{preparation}".encode()).hexdigest()[:32]
        known = home() / "times" / short
        if (entry := _known_entry(known, how)) and (found := entry.read(as_it_is)):
            return found
        digests = content_digests(listing)
        entry = Entry(combined(digests, preparation), how)
        found = entry.made(listing, digests, as_it_is)
        if seen.settled and times(listing) == seen and not any(map(passing, digests)):
            write_atomically(known, lambda temporary: temporary.write_text(entry.key, "utf-8"))
        return found


@dataclass(frozen=True)
class Entry:
    """One set of decoded pictures on the disk."""

    key: str
    how: Preparation

    @property
    def about(self) -> Path:
        """The file that says how many images there are; it is written last."""
        return home() / f"{self.key}.json"

    @property
    def values(self) -> Path:
        """The file that holds the images' values."""
        return home() / f"{self.key}.u8"

    def read(self, as_it_is: bool) -> Prepared | None:
        """Return the pictures, or None where they are not there, or not whole."""
        try:
            about = json.loads(content(self.about))
            rows, unusable = int(about["images"]), about["unusable"]
            shape = (rows, self.how.channels, self.how.resolution, self.how.resolution)
            if self.values.stat().st_size != np.prod(shape, dtype=np.int64):
                _log.warning("%s: not whole; decoding again", self.values)
                return None
            if not as_it_is and about.get("sha256", "") not in ("", _sha256(self.values)):
                _log.warning("%s: not what was decoded; decoding again", self.values)
                return None
            images, why = _mapped(self.values, shape), {int(i): unusable[i] for i in unusable}
            sixteen = SixteenBits(**about.get("sixteen_bits", {}))
            odd = OddSizes.read(about["odd_sizes"])  # of earlier copies it is not known
            return Prepared(images, why, self.values, sixteen, odd)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def made(self, listing: Listing, digests: list[bytes | str], as_it_is: bool) -> Prepared:
        """Return what `read` does, decoding first where need be; one process at a time does."""
        with filelock.FileLock(home() / f"{self.key}.lock"):
            if found := self.read(as_it_is):
                return found
            _remove_leftovers(self.key)
            self._require_space(len(digests))
            seen = _Seen()
            write_atomically(
                self.values,
                lambda temporary: self._decode_into(temporary, listing, digests, seen),
            )
            about = {
                "images": len(digests) - len(seen.unusable),
                "sha256": _sha256(self.values),
                "made_from": str(listing.root),
                **self.how.key(),
                "unusable": seen.unusable,
                "sixteen_bits": asdict(SixteenBits.of(seen.brightest)),
                "odd_sizes": asdict(OddSizes.of(seen.sizes, self.how)),
            }
            text = json.dumps(about, indent=1)
            write_atomically(self.about, lambda temporary: temporary.write_text(text, "utf-8"))
            _tell_of_space(self.values)
            found = self.read(as_it_is=True)
            assert found is not None
            return found

    def _decode_into(
        self, path: Path, listing: Listing, digests: list[bytes | str], seen: _Seen
    ) -> None:
        """Write the images one after another; what is written is never more than a chunk late."""

        def decoded(index: int) -> Decoded | Unusable:
            return _decoded(listing.root / listing.names[index], digests[index], self.how)

        at_once = max(1, min(AT_ONCE, WAITING // self.how.bytes_per_image))
        outcomes = in_threads(decoded, range(len(digests)), at_once)
        with path.open("wb") as file, quiet_pillow():
            for i, outcome in enumerate(tracked(outcomes, "decoding pictures", len(digests))):
                if isinstance(outcome, Unusable):
                    seen.unusable[i] = str(outcome)
                    continue
                file.write(outcome.values)
                seen.sizes.append(Size(i, *outcome.size))
                if outcome.brightest is not None:
                    seen.brightest.append(outcome.brightest)

    def _require_space(self, count: int) -> None:
        needed, free = count * self.how.bytes_per_image, shutil.disk_usage(home()).free
        if needed > free:
            raise OSError(
                errno.ENOSPC, f"decoding needs {_size(needed)}, and {_size(free)} are free"
            )


def _known_entry(known: Path, how: Preparation) -> Entry | None:
    try:
        return Entry(content(known).decode("utf-8"), how)
    except (OSError, UnicodeDecodeError):
        return None


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(WAITING // 64):
            found.update(part)
    return found.hexdigest()


def _mapped(path: Path, shape: tuple[int, ...]) -> Tensor:
    """Map values into memory; what is changed stays in this process."""
    if not shape[0]:
        return torch.empty(shape, dtype=torch.uint8)
    return torch.from_numpy(np.memmap(path, np.uint8, "c", shape=shape))


def _decoded(path: Path, digest: bytes | str, how: Preparation) -> Decoded | Unusable:
    if isinstance(digest, str):
        return Unusable(digest)
    try:
        found = content(path)
    except OSError as error:
        raise DataError(f"{path}: {why_unreadable(error)}, and was there a moment ago") from error
    if hashlib.sha256(found).digest() != digest:
        raise DataError(f"{path}: changed while it was being decoded; start again when it is whole")
    try:
        return decode(found, how)
    except Unusable as error:
        return error


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings of files that it decodes all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _room_for(listing: Listing) -> Iterator[None]:
    """Make the cache folder, and raise DataError for what goes wrong in it."""
    try:
        (home() / "times").mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DataError(
            f"{home()}: {error.strerror or error}; pictures of {listing.root} are decoded into it, "
            "and GANBENCH_CACHE names another folder"
        ) from error


def _remove_leftovers(key: str) -> None:
    """Remove half-written files of killed processes: of this key, and of those nobody holds."""
    for path in home().glob(".*.u8.*"):
        other = path.name[1:].partition(".")[0]
        try:
            if other == key:
                path.unlink()
                continue
            with filelock.FileLock(home() / f"{other}.lock", timeout=0):
                path.unlink()
        except (filelock.Timeout, FileNotFoundError):
            continue


def _tell_of_space(path: Path) -> None:
    with suppress(FileNotFoundError):  # somebody is removing them
        taken = sum(other.stat().st_size for other in home().glob("*.u8"))
        _log.warning(  # a warning, of the disk's space, so that it is seen without further ado
            "decoded into %s (%s; all prepared pictures there take %s, and may be removed)",
            path,
            _size(path.stat().st_size),
            _size(taken),
        )


def _size(count: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.1f} kB"
