"""A feature extractor in one word, as column names have it: `random-conv(seed=3)`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LABEL = re.compile(r"(?P<name>[^()@]+)(?:\((?P<options>[^()]*)\))?")


def compose(name: str, options: Mapping[str, Any]) -> str:
    """Return the label of an extractor with these options.

    Raises ValueError where an option is more than a number, a word, true, false or null.
    """
    return (
        f"{name}({','.join(f'{k}={_word(k, v)}' for k, v in options.items())})" if options else name
    )


def canonical(label: str) -> str:
    """Return the same extractor's one label: options in alphabetical order."""
    name, options = parse(label)
    return compose(name, dict(sorted(options.items())))


def parse(label: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options. Raises ValueError where the text is no such label."""
    found = _LABEL.fullmatch(label.strip())
    if not found:
        raise ValueError(
            f"expected an extractor like pixels or random-conv(seed=3), found '{label}'"
        )
    options = {}
    for pair in (found["options"] or "").split(","):
        key, separator, value = pair.partition("=")
        if separator:
            options[key.strip()] = _value(value.strip())
        elif pair.strip():
            raise ValueError(f"expected key=value in '{label}', found '{pair}'")
    return found["name"].strip(), options


def _word(key: str, value: Any) -> str:
    word = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, list | dict) or re.search(r"[(),=@]", word):
        raise ValueError(
            f"expected a number or a word as {key} of a feature extractor, as it becomes part of a "
            f"column's name, found {json.dumps(value)}"
        )
    return word


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
