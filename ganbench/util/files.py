"""Where ganbench keeps what it can make again, and how files are written so that none is half."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def cache() -> Path:
    """GANBENCH_CACHE, or `ganbench` in the user's cache folder."""
    if named := os.environ.get("GANBENCH_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ganbench"


def data() -> Path:
    """GANBENCH_DATA, or `data` in the cache folder."""
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
    write_atomically(path, lambda temporary: _write(temporary, text))


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: a NaN is a mistake of the caller's."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any | None:
    """The value, or None where the file is missing, unreadable or not whole."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
