"""A corner of the disk in which a plugin may write, and a look at where else it did."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Files = dict[str, bytes]


@dataclass(frozen=True)
class Sandbox:
    """A temporary folder; while it is open, it holds the working and the temporary directory."""

    root: Path

    def folder(self, name: str) -> Path:
        """A folder in which a plugin may write."""
        found = self.root / "allowed" / name
        found.mkdir(parents=True, exist_ok=True)
        return found

    def strays(self) -> list[str]:
        """What was written outside these folders; the temporary directory is looked at alone."""
        return [
            name
            for name in contents(self.root)
            if not name.startswith(("temporary/", *self._allowed()))
        ]

    def temporary(self) -> list[str]:
        """What was left in the temporary directory."""
        return [*contents(self.root / "temporary")]

    def _allowed(self) -> list[str]:
        return [f"allowed/{folder.name}/" for folder in (self.root / "allowed").glob("*/")]


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    before, temporary = Path.cwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        root = Path(name).resolve()
        for part in ("allowed", "elsewhere", "temporary"):
            (root / part).mkdir()
        os.chdir(root / "elsewhere")
        tempfile.tempdir = str(root / "temporary")
        try:
            yield Sandbox(root)
        finally:
            tempfile.tempdir = temporary
            os.chdir(before)


def contents(folder: Path) -> Files:
    """Every file below a folder, by its path from there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
