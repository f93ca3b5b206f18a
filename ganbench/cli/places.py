"""Refuses places that cannot be written, before minutes of work are done for them."""

from __future__ import annotations

import os
from pathlib import Path

from ganbench.errors import ConfigError


def check_writable(folder: Path, out: Path, option: str = "--out") -> None:
    """Raise ConfigError where `folder`, there or to be made, could not be written into."""
    whole = folder.absolute()
    there = next(place for place in (whole, *whole.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise ConfigError(f"{option} {out}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} {out}: cannot be written: {there} is read-only here")
