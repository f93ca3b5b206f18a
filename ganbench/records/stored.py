"""Reading of JSON files as the types that they hold; what is wrong is told with its place."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar

import pydantic

from ganbench.util.pydantic_errors import complaints

T = TypeVar("T")


def typed(cls: type[T], found: Any) -> T:
    """Return JSON's values as an instance of `cls`; unknown keys are ignored.

    Nothing is taken for what it is not: a text is no number. Raises pydantic.ValidationError.
    """
    key: Any = cls  # which mypy takes for no Hashable
    return _adapter(key).validate_json(json.dumps(found), strict=True)


def problems(cls: Any, found: Any, error: pydantic.ValidationError) -> list[str]:
    """Return what was expected and what was found instead, a text for each place."""
    return [text for _, text in complaints(cls, found, error)]


def prepare(*classes: Any) -> None:
    """Make what reads these classes now, and not where the first is read."""
    for cls in classes:
        _adapter(cls)


@cache
def _adapter(cls: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(cls)
