"""Copies of a plugin, which travels to other processes and is copied where it is used twice."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def copies(plugin: T) -> Iterator[tuple[str, T]]:
    """How each was made, and the copy."""
    ways: dict[str, Callable[[Any], Any]] = {
        "deepcopy": copy.deepcopy,
        "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    }
    for how, way in ways.items():
        try:
            twin = way(plugin)
        except Exception as error:
            raise AssertionError(
                f"{how} fails with {type(error).__name__} ({error}); keep no function, file, lock "
                "or generator in an attribute, but make it where it is used"
            ) from error
        yield how, twin
