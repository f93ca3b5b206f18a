"""What old runs and the cache take of a disk, and how it is given back."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ganbench.errors import RunError
from ganbench.records import run_folder
from ganbench.records.run_folder import END, RESULT, RUN, STATE, TRIALS
from ganbench.util import files

MADE_AGAIN = {
    "pictures": "decoded pictures of your own data sets",
    "statistics": "statistics of real images",
    "judges": "classifiers that benchmarks with judge: auto had trained",
    "plugins": "installed plugins that were found to load",
    "bisect": "trainings of commits by `ganbench bisect`",
}
"""Folders of the cache whose files are made again where they are needed."""
DOWNLOADS = "downloaded and unpacked data sets and weights"
IN_USE = 600.0  # seconds since a trial without a result wrote last, up to which it may be running


@dataclass(frozen=True)
class Leftover:
    """A folder that may go, or all files in it."""

    path: Path
    what: str
    size: int  # bytes
    is_run: bool = False
    of_states: int = 0  # bytes of states that `run --continue` goes on from


def of_cache(*, downloads: bool = False) -> list[Leftover]:
    """Return what the cache holds; with `downloads` what has to be downloaded anew, too.

    Data in a folder of its own, which GANBENCH_DATA names, are no part of the cache.
    """
    known = {files.cache() / name: what for name, what in MADE_AGAIN.items()}
    if downloads and files.data() == files.cache() / "data":
        known[files.data()] = DOWNLOADS
    found = [Leftover(path, what, size_of(path)) for path, what in known.items()]
    return [one for one in found if one.size]


def of_runs(places: Sequence[Path], older_than_days: float | None = None) -> list[Leftover]:
    """Return the runs that these folders are or hold, each once.

    Raises RunError for a folder without any, and for a run that may still be going.
    """
    latest = None
    if older_than_days is not None:
        latest = datetime.now(timezone.utc) - timedelta(days=older_than_days)
    found: dict[Path, Leftover] = {}
    for place in places:
        runs = [place] if (place / RUN).is_file() else run_folder.below(place)
        if not runs:
            raise RunError(f"{place}: no run, and no run below it; `ganbench list` shows where")
        for directory in runs:
            if latest is None or _made(directory) < latest:
                _check_idle(directory)
                about = run_folder.info_in(directory)
                name = f"run of {about.name if about else '?'}, {_made(directory):%Y-%m-%d}"
                states = sum(p.lstat().st_size for p in directory.glob(f"{TRIALS}/*/{STATE}"))
                one = Leftover(directory, name, size_of(directory), True, states)
                found[directory.resolve()] = one
    return list(found.values())


def remove(leftover: Leftover) -> None:
    """Remove a run's folder, or a cache's files but for those that are locks.

    Raises RunError where something cannot be removed.
    """
    try:
        if leftover.is_run:
            shutil.rmtree(leftover.path)
            return
        for path in _files(leftover.path):
            if path.suffix != ".lock":
                path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{error.filename or leftover.path}: not removed: {error.strerror}"
        ) from error


def size_of(directory: Path) -> int:
    """Return how many bytes the files below a folder have; links are not followed."""
    return sum(path.lstat().st_size for path in _files(directory))


def _files(directory: Path) -> Iterator[Path]:
    for place, _, names in os.walk(directory):
        yield from (Path(place, name) for name in names)


def _made(directory: Path) -> datetime:
    """Return when a run began: by its run.json, or by the file's own time."""
    about = run_folder.info_in(directory)
    try:
        made = datetime.fromisoformat(about.created if about else "")
    except ValueError:
        made = datetime.fromtimestamp((directory / RUN).stat().st_mtime, timezone.utc)
    return made if made.tzinfo else made.astimezone()


def _check_idle(directory: Path) -> None:
    now = time.time()
    for trial in (directory / TRIALS).glob("*"):
        if (trial / RESULT).exists() or (trial / END).exists():
            continue
        newest = max((path.lstat().st_mtime for path in _files(trial)), default=0.0)
        if now - newest < IN_USE:
            raise RunError(
                f"{directory}: {trial.name} wrote {now - newest:.0f} s ago and has not ended; wait "
                "for it or interrupt it first"
            )
