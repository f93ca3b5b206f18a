"""Files from the network: only where that is allowed, checked, and whole or not there at all.

It is ours, as pooch and torchvision take one address and one hash: mirrors, a limit of bytes, sums
by size, MD5 and SHA-256, the offline switch and our progress would be more lines around them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from ganbench.errors import DataError
from ganbench.util import files
from ganbench.util.progress import tracked

CHUNK = 2**20
TIMEOUT = 60  # seconds without a byte


def offline() -> bool:
    """Return whether GANBENCH_OFFLINE is set to anything but 0, as `--offline` does."""
    return os.environ.get("GANBENCH_OFFLINE", "") not in ("", "0")


def download(
    urls: Sequence[str],
    target: Path,
    check: Callable[[Path], str | None],  # what is wrong with the content, or None
    *,
    otherwise: str,  # what else the user can do
    limit: int | None = None,  # bytes after which it cannot be the right file
) -> None:
    """Download to `target` from the first URL that sends what `check` accepts.

    The file appears whole or not at all, and its folder is made. Raises DataError where no URL
    sends it, or where downloads are forbidden.
    """
    if offline():
        raise DataError(
            f"GANBENCH_OFFLINE forbids downloads; unset it, or copy {target.name} to "
            f"{target.parent}"
        )
    problems = []
    for url in urls:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomically(target, lambda path, url=url: _fetch(url, path, check, limit))  # type: ignore[misc]
        except (OSError, HTTPException, DataError) as error:
            problems.append(f"{url}: {error or type(error).__name__}")
        else:
            return
    raise DataError(f"{'; '.join(problems)}; nothing was kept. Try again later, or {otherwise}")


def _fetch(url: str, path: Path, check: Callable[[Path], str | None], limit: int | None) -> None:
    request = Request(url, headers={"User-Agent": "ganbench"})
    with urlopen(request, timeout=TIMEOUT) as response, path.open("wb") as file:
        chunks = -(-(response.length or 0) // CHUNK)
        parts = iter(lambda: response.read(CHUNK), b"")
        for part in tracked(parts, f"downloading {url.rpartition('/')[2]}", chunks):
            file.write(part)
            if limit is not None and file.tell() > limit:
                break
    if why := check(path):
        raise DataError(f"sent {why}")
