"""Files that vouch for their content: a line with the SHA-256 of all that follows it.

What ganbench keeps for itself and reads back is sealed, so that a flipped bit is a damaged file and
not another number. In a JSON document that others read, too, the SHA-256 is a field of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganbench.util import files

_MARK = b"ganbench sealed sha256 "
_FIELD = "sha256"


class Damaged(ValueError):
    """The content is not what was written."""


def write(path: Path, content: bytes) -> None:
    """Write a sealed file, whole."""
    seal = _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"
    files.write_atomically(path, lambda temporary: _put(temporary, seal, content))


def read(path: Path) -> bytes:
    """Return what `write` was given. A file without a seal, of a ganbench before, is taken whole.

    Raises Damaged where the content is another one, and OSError where the file cannot be read.
    """
    found = files.read_bytes(path, most=None)
    if not found.startswith(_MARK):
        return found
    seal, _, content = found.partition(b"\n")
    if seal != _MARK + hashlib.sha256(content).hexdigest().encode():
        raise Damaged("its content is not what was written: its SHA-256 is another")
    return content


def write_json(path: Path, found: Mapping[str, Any]) -> None:
    """Write a mapping as strict JSON, whole, with the SHA-256 of the rest in a field of its own."""
    files.write_json(path, with_seal(found))


def with_seal(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping for JSON with the SHA-256 of the rest in a field of its own."""
    return {**found, _FIELD: _digest(json.loads(json.dumps(found)))}


def is_as_written(found: Any) -> bool:
    """Whether what was read from JSON is no mapping, has no SHA-256, or the right one."""
    return not isinstance(found, dict) or found.get(_FIELD, "") in ("", _digest(found))


def _digest(found: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all other fields, whatever their order."""
    rest = {key: value for key, value in found.items() if key != _FIELD}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _put(path: Path, seal: bytes, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(seal)
        file.write(content)
