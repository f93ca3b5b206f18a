"""A plugin's options as records count them, so that one may be added later."""

from __future__ import annotations

import dataclasses
from typing import Any

SINCE = "since"
"""The mark of an option that came later: `field(default=0.0, metadata={"since": "0.2.0"})`."""


def counted_options(plugin: Any) -> dict[str, Any]:
    """Return the fields of a plugin by name, with mappings for the dataclasses in them.

    A field that is marked `since` is left out where it is at its default: there the plugin does
    what it did before it had the option, and ids and protocols stay as they were.
    """
    return {
        field.name: _with_mappings(getattr(plugin, field.name))
        for field in dataclasses.fields(plugin)
        if not (SINCE in field.metadata and getattr(plugin, field.name) == default_of(field))
    }


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return a field's default, made anew where it has a factory; MISSING where it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _with_mappings(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return counted_options(value)
    if isinstance(value, dict):
        return {key: _with_mappings(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_with_mappings, value))
    return value if type(value) in (str, int, float, bool, type(None)) else _plain(value)


def _plain(value: Any) -> Any:
    """Return the value of an Enum, a path as text, and what else pydantic reads back from JSON."""
    import pydantic_core

    if isinstance(value, set | frozenset):
        return sorted(map(_with_mappings, value), key=repr)
    try:
        return pydantic_core.to_jsonable_python(value)
    except ValueError:  # whoever counts it says that it is no plain data
        return value
