"""What commands print for programs."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from ganbench.cli import streams


def json_text(value: Any) -> str:
    """Return a value as JSON; dataclasses are mappings of their fields."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False, default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    from ganbench.records.cells import fields_of

    return fields_of(value)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    print(json_text(value), file=streams.documents())


def tell(level: int, sentence: str) -> None:
    """Print on stderr what the library has to say before a run; a warning is called one."""
    print(f"warning: {sentence}" if level >= logging.WARNING else sentence, file=sys.stderr)
