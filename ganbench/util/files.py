"""Where ganbench keeps what it can make again, and how files are written so that none is half."""

from __future__ import annotations

import errno
import glob
import json
import math
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ganbench.errors import ConfigError

MOST_BYTES, MOST_LEVELS, MOST_DIGITS = 64_000_000, 100, 300
"""What a file of a run may have: ganbench writes nothing that comes near."""

Pairs = Callable[[list[tuple[str, Any]]], Any]  # makes a mapping of keys and values

_BUSY_SECONDS = 2.0 if sys.platform == "win32" else 0.0  # that a reader may hold the old file
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # for whoever writes into a pipe
_TEMPORARY = re.compile(r"\.(?P<target>.+\.[A-Za-z0-9]+)\.[a-z0-9_]{8}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def cache() -> Path:
    """Return GANBENCH_CACHE, or `ganbench` in the user's cache folder, which may not exist yet.

    XDG_CACHE_HOME names that folder on every system; without it, it is the platform's, unless
    ~/.cache/ganbench is there: up to 0.1 that was the place on macOS and Windows, too. A user
    without a home folder has it in the folder for temporary files. Raises ConfigError.
    """
    if named := os.environ.get("GANBENCH_CACHE"):
        return _at_home("GANBENCH_CACHE", named)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return _at_home("XDG_CACHE_HOME", base) / "ganbench"
    before = Path(os.path.expanduser("~/.cache/ganbench"))
    if before.parts[0] == "~":
        return _without_home()
    if os.access(before, os.R_OK) and before.is_dir():
        return before
    import platformdirs  # here, as every command imports this module and few get here

    return platformdirs.user_cache_path("ganbench", appauthor=False)


@contextmanager
def folder_put_back() -> Iterator[None]:
    """Be in the same working directory after the body as before, unless that was removed."""
    try:
        before = os.getcwd()
    except FileNotFoundError:
        before = ""
    try:
        yield
    finally:
        if before:
            with suppress(FileNotFoundError):
                os.chdir(before)


def data() -> Path:
    """Return GANBENCH_DATA, or `data` in the cache folder."""
    named = os.environ.get("GANBENCH_DATA")
    return _at_home("GANBENCH_DATA", named) if named else cache() / "data"


def _at_home(variable: str, named: str) -> Path:
    path = Path(os.path.expanduser(named))
    if path.parts[:1] and path.parts[0].startswith("~"):
        raise ConfigError(f"{variable} is {named}, and no home folder of that user is known")
    return path


def _without_home() -> Path:
    """Return a folder of this user's alone below the one for temporary files."""
    if not hasattr(os, "getuid"):  # Windows, where each user has such a folder
        return Path(tempfile.gettempdir()) / "ganbench"
    path = Path(tempfile.gettempdir()) / f"ganbench-{os.getuid()}"
    if path.exists() and path.stat().st_uid != os.getuid():
        raise ConfigError(
            f"{path} is another user's, and this one has no home folder; set GANBENCH_CACHE to a "
            "folder of your own"
        )
    return path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then put the file in its place whole.

    A device, or a link to one or to a pipe, such as /dev/null and /dev/stdout, has no other put in
    its place: OSError is raised.
    """
    if _is_no_place(path):
        raise OSError(errno.EINVAL, "a device or a pipe, and no file")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _replace(temporary: Path, path: Path) -> None:
    """Put a file in another's place, which Windows refuses while somebody reads the other."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            os.replace(temporary, path)
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_no_place(path: Path) -> bool:
    try:
        behind = path.stat().st_mode
    except OSError:  # there is none yet, or a link that leads nowhere
        return False
    leads_away = path.is_symlink() and not (stat.S_ISREG(behind) or stat.S_ISDIR(behind))
    return leads_away or stat.S_ISCHR(behind) or stat.S_ISBLK(behind)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, with the line ends that it has on every system.

    The file is the old one or the new one, never half of either.
    """
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON, whole. Raise ValueError for NaN and infinities, which it has not."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def remove_temporaries(folder: Path, target: str = "") -> None:
    """Remove what `write_atomically` left when it was killed: for `target`, or for any file.

    Call it where nobody else writes there.
    """
    for path in folder.glob(f".{glob.escape(target)}*"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and target in ("", found["target"]) and path.is_file():
            path.unlink(missing_ok=True)


def read_bytes(path: Path, most: int | None = MOST_BYTES) -> bytes:
    """Return a regular file's content; pipes and devices, which may have no end, are no files.

    Raises OSError, also where it has more than `most` bytes.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAITING)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, and at most {most:,} are read")
        return file.read() if most is None else file.read(most)


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return a regular file's text; what is no UTF-8 is shown as such. Raises OSError."""
    return read_bytes(path, most).decode("utf-8", "replace")


def read_json(path: Path) -> Any | None:
    """Return the value, or None where the file is missing, unreadable or not whole."""
    try:
        return parse_json(read_bytes(path))
    except (OSError, ValueError):
        return None


def parse_json(content: bytes, pairs: Pairs | None = None) -> Any:
    """Return the value of a JSON document. Raises ValueError where it is none of reason.

    None is one with a number that is not finite or of MOST_DIGITS digits, with half a character,
    or of more than MOST_LEVELS levels.
    """
    try:
        found = json.loads(
            content.decode("utf-8"),
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=pairs,
        )
    except RecursionError as error:
        raise ValueError(f"more than {MOST_LEVELS} levels deep") from error
    level = [found]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _inside(outer)]
    if level:
        raise ValueError(f"more than {MOST_LEVELS} levels deep")
    if _SURROGATE.search(content):
        json.dumps(found, ensure_ascii=False).encode()  # raises UnicodeEncodeError, a ValueError
    return found


def _inside(value: Any) -> Iterable[Any]:
    """Return a container's values; keys are texts."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no number of JSON")
    return value


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)
