"""Imports plugins first where nothing can come of it: in a process of their own.

An import runs code of others, which may end its process, crash it, or never return. Whatever has
been seen to return is known by its version and source, and is not rehearsed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import ganbench
from ganbench.registry.discovery import FoundPlugin, is_file, source_file
from ganbench.util import files

SECONDS = 10.0
RETURNED = b"returned"

_log = logging.getLogger(__name__)


def why_not(
    plugin: FoundPlugin, act: Callable[[str], object], code: str, *, may_last: bool = False
) -> str:
    """Return why a plugin must not be imported here; the empty text where it may.

    `act` imports and registers the module that it is given, and so does `code`, in another process
    that finds it in sys.argv[1], where this one cannot be forked. An import that does not return in
    time may be begun anyway where it `may_last`.
    """
    known = _known(plugin)
    with contextlib.suppress(OSError):  # a cache that cannot be read knows nothing
        if known and known.exists():
            return ""
    may_fork = sys.platform == "linux" and threading.active_count() == 1
    why = _forked(plugin.module, act) if may_fork else _spawned(plugin.module, code)
    if may_last and why == _endless():
        return ""
    if known and not why:
        with contextlib.suppress(OSError):  # then it is rehearsed again, which is all that is lost
            known.parent.mkdir(parents=True, exist_ok=True)
            known.touch()
    return why


@contextlib.contextmanager
def contained(plugin: str) -> Iterator[None]:
    """Let what an import prints go to standard error, and stay in this folder afterwards.

    What else it leaves changed, for trainings without the plugin too, is warned of.
    """
    from ganbench.util import process_settings  # here, as it imports torch

    before = process_settings.found()
    with contextlib.redirect_stdout(sys.stderr), files.folder_put_back():
        yield
    if left := process_settings.changed(before):
        _log.warning(
            "plugin '%s' changes %s as it is imported, for all cells of this process; a later "
            "ganbench will put it back: change it where that is needed, and only meanwhile",
            plugin,
            " and ".join(left),
        )


def _known(plugin: FoundPlugin) -> Path | None:
    """Return the file that is there once this version and source was imported and returned."""
    try:
        named = Path(plugin.module) if is_file(plugin.module) else None
        top = named or source_file(plugin.module.partition(".")[0])
        found = sorted(top.parent.rglob("*.py")) if top.name == "__init__.py" else [top]
        digest = hashlib.sha256(f"{ganbench.__version__} {sys.version} {plugin}\n".encode())
        for file in found:
            digest.update(f"{file} {file.stat().st_size}\n".encode() + file.read_bytes())
    except (ImportError, OSError):
        return None
    return files.cache() / "plugins" / digest.hexdigest()[:32]


def _forked(module: str, act: Callable[[str], object]) -> str:
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no fork")
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that are torch's
        pid = os.fork()
    if not pid:
        try:
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nowhere, number)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            act(module)
            os.write(theirs, RETURNED)
        finally:
            os._exit(0)
    os.close(theirs)
    try:
        said = _heard(ours)
        if said is None:
            return _endless()
    finally:
        os.close(ours)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return "" if said == RETURNED else _ended(code)


def _heard(pipe: int) -> bytes | None:
    """Return what is said before the pipe closes, or None where that takes too long."""
    deadline, said = time.monotonic() + SECONDS, b""
    while said != RETURNED:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        if not (more := os.read(pipe, 64)):
            break
        said += more
    return said


def _spawned(module: str, code: str) -> str:
    ending = f"; import os; os.write(1, {RETURNED!r}); os._exit(0)"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code + ending, module],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=6 * SECONDS,  # torch is imported in it, too
        )
    except subprocess.TimeoutExpired:
        return _endless()
    return "" if done.stdout.endswith(RETURNED) else _ended(done.returncode)


def _endless() -> str:
    return f"its import did not return within {SECONDS:g} s"


def _ended(code: int) -> str:
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return f"its import ended the process, {how}"
