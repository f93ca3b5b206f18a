"""Who is at work in a run's folder: one process at a time, whatever machine it is on.

A lock of the system keeps out others of this machine, and of machines whose file system shares
locks. Where it does not, a file says who holds the run, and is touched for as long as that one
lives: what is touched no more was held by a process, or a machine, that has died.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

import filelock
import pydantic

from ganbench.errors import RunError
from ganbench.records import stored
from ganbench.util import files

LOCK, HOLDER = ".lock", ".holder.json"
TOUCH_SECONDS = 20.0
LOOK_SECONDS = 0.5  # far longer than one who only looks who is there has the lock
DEAD_SECONDS = 180.0  # without a touch, on another machine


@dataclass(frozen=True)
class Holder:
    """The process that is at work in a run."""

    host: str
    pid: int
    since: str  # as ISO 8601 has it, UTC

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == platform.node()

    @property
    def told(self) -> str:
        """Where it is, for people."""
        return f"process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Be the one that is at work in a run's folder.

    Raises RunError where another is, and OSError where the folder cannot be written.
    """
    try:
        lock = filelock.FileLock(run / LOCK, timeout=LOOK_SECONDS).acquire()
    except filelock.Timeout as error:
        raise _taken(run, _said(run)) from error
    with lock:
        if other := _elsewhere(run):
            raise _taken(run, other)
        with _kept(run):
            yield


def holder(run: Path) -> Holder | None:
    """Return who is at work in a run's folder, or None where nobody is.

    Raises OSError where the folder cannot be written, as the lock has to be tried.
    """
    found = _said(run)
    try:
        with filelock.FileLock(run / LOCK, timeout=0):
            return _elsewhere(run)
    except filelock.Timeout:
        return found


def _taken(run: Path, by: Holder | None) -> RunError:
    who = f": {by.told}" if by else ""
    return RunError(
        f"{run}: another ganbench is at work in it{who}; wait for its end, or end it with "
        f"`ganbench cancel {run}`"
    )


def _elsewhere(run: Path) -> Holder | None:
    """Return the holder on another machine that still gives signs of life.

    Both times are of the file system that holds the folder, whatever this machine's clock says.
    """
    found = _said(run)
    if found is None or found.is_here:  # one of this machine would have the lock
        return None
    try:
        last = (run / HOLDER).stat().st_mtime
    except FileNotFoundError:
        return None
    os.utime(run / LOCK)
    now = (run / LOCK).stat().st_mtime
    return found if now - last < DEAD_SECONDS else None


@contextmanager
def _kept(run: Path) -> Iterator[None]:
    """Say who holds the run, and give signs of life."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    files.write_json(run / HOLDER, asdict(Holder(platform.node(), os.getpid(), now)))
    end = threading.Event()

    def touch() -> None:
        while not end.wait(TOUCH_SECONDS):
            with suppress(OSError):  # a disk that is away for a while is no end
                os.utime(run / HOLDER)

    thread = threading.Thread(target=touch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        with suppress(OSError):
            (run / HOLDER).unlink()


def _said(run: Path) -> Holder | None:
    try:
        return stored.typed(Holder, files.read_json(run / HOLDER))
    except pydantic.ValidationError:
        return None
