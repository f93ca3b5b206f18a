"""Where ganbench keeps what it can make again, and how files are written so that none is half."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def cache() -> Path:
    """Return GANBENCH_CACHE, or `ganbench` in the user's cache folder, which may not exist yet.

    XDG_CACHE_HOME names that folder on every system; without it, it is the platform's, unless
    ~/.cache/ganbench is there: up to 0.1 that was the place on macOS and Windows, too.
    """
    if named := os.environ.get("GANBENCH_CACHE"):
        return Path(named).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "ganbench"
    before = Path("~/.cache/ganbench").expanduser()
    if before.is_dir():
        return before
    import platformdirs  # here, as every command imports this module and few get here

    return platformdirs.user_cache_path("ganbench", appauthor=False)


def data() -> Path:
    """Return GANBENCH_DATA, or `data` in the cache folder."""
    named = os.environ.get("GANBENCH_DATA")
    return Path(named).expanduser() if named else cache() / "data"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then put the file in its place whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8; the file is the old one or the new one, never half of either."""
    write_atomically(path, lambda temporary: _write(temporary, text))


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON, whole. Raise ValueError for NaN and infinities, which it has not."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any | None:
    """Return the value, or None where the file is missing, unreadable or not whole."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # not JSON, not UTF-8, nested beyond reason
        return None


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
