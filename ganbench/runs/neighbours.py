"""Other programs on the cores of a trial: how much they take, and threads that yield to them.

The threads of an operation wait for each other many times in a training step. GCC's OpenMP, which
PyTorch brings on Linux, lets them spin for milliseconds before they sleep: fast while every thread
has a core, ruinous once the kernel has given one away, as those that wait burn what the last one
needs. It spins a hundred times only where more of its threads exist than cores (GCC's manual, at
GOMP_SPINCOUNT). So while others are at work, a crowd of idle threads is kept. An operation has as
many threads as before, and its result every bit.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.util import machine

LOOK_SECONDS = 1.0
BUSY = 0.3  # of a core: kept waiting that much for one look, this process has neighbours
QUIET_SECONDS = 3.0
QUIET = 0.1  # and has none any more, once it was kept waiting less than this for so long


def waited_seconds() -> float | None:
    """Return how long threads of this process that could run have waited for a core, in sum.

    None where the system does not count it.
    """
    counted = None
    for path in Path("/proc/self/task").glob("*/schedstat"):
        try:
            nanoseconds = int(path.read_text("ascii").split()[1])
        except (OSError, IndexError):  # it has just ended; or kernels without the count
            continue
        counted = (counted or 0) + nanoseconds
    return None if counted is None else counted / 1e9


class Waiting:
    """Tells how long other programs kept this process's threads waiting, from its making on."""

    def __init__(self, threads: int) -> None:
        """Begin. `threads` is how many an operation has.

        More than there are cores keep each other waiting: then nothing is known of others.
        """
        self._is_known = threads <= machine.cores()
        self._since, self._before = time.perf_counter(), waited_seconds()

    def share(self) -> float | None:
        """Return the seconds of waiting for each second that went by; None: not known."""
        waited = waited_seconds() if self._is_known else None
        if waited is None or self._before is None:
            return None
        return max(0.0, waited - self._before) / max(1e-9, time.perf_counter() - self._since)


@contextmanager
def yielding(threads: int) -> Iterator[None]:
    """Make this process's threads yield while others want their cores.

    `threads` is how many an operation has. OpenMP of others than GCC yields by itself.
    """
    openmp = _gcc_openmp()
    if threads < 2 or openmp is None or Waiting(threads).share() is None:
        yield
        return
    ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(openmp, threads, ended), daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def how_threads_wait() -> str:
    """Return what the threads of an operation do here while other programs take their cores."""
    if _gcc_openmp() is None:
        return "beside other programs they wait as their OpenMP does, which is not GCC's"
    if waited_seconds() is None:
        return "beside other programs they spin, as this system does not tell of such"
    return "beside other programs they yield"


def _watch(openmp: ctypes.CDLL, threads: int, ended: threading.Event) -> None:
    crowd: _Crowd | None = None
    waiting = Waiting(threads)
    while not ended.wait(QUIET_SECONDS if crowd else LOOK_SECONDS):
        share = waiting.share() or 0.0
        waiting = Waiting(threads)
        if crowd is None and share > BUSY:
            crowd = _Crowd(openmp)
        elif crowd and share < QUIET:
            crowd.scatter()
            crowd = None
    if crowd:
        crowd.scatter()


class _Crowd:
    """A team of idle OpenMP threads, by one more than there are cores."""

    def __init__(self, openmp: ctypes.CDLL) -> None:
        self._openmp = openmp
        self._is_over = threading.Event()
        self._is_there = threading.Event()
        self._thread = threading.Thread(target=self._stand, name="crowd", daemon=True)
        self._thread.start()
        self._is_there.wait()

    def scatter(self) -> None:
        """Let its threads end."""
        self._is_over.set()
        self._thread.join()

    def _stand(self) -> None:
        nothing = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)  # takes no argument
        self._openmp.GOMP_parallel(nothing, None, machine.cores() + 1, 0)
        self._is_there.set()
        self._is_over.wait()


def _gcc_openmp() -> ctypes.CDLL | None:
    """Return the libgomp that this process has loaded, if any."""
    maps = Path("/proc/self/maps")
    for line in maps.read_text("utf-8", "replace").splitlines() if maps.exists() else []:
        path = line.partition("/")[2]
        if "libgomp" in path:
            return ctypes.CDLL(f"/{path}")
    return None
