"""What a plugin's module and its classes must be to be registered."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from types import ModuleType
from typing import Any

import ganbench
from ganbench.errors import PluginError
from ganbench.registry.discovery import PluginSource
from ganbench.registry.hookspecs import API_VERSION
from ganbench.registry.kinds import Kind, by_hook
from ganbench.util.messages import an, known, quoted, suggestion

NAME = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")


def check_module(module: ModuleType, marked: list[str], source: PluginSource) -> None:
    """Refuse another API, misspelt hooks, and modules that would register nothing.

    `marked` are the names of the functions that `@hookimpl` stands above. Raises PluginError.
    """
    who = f"plugin '{source.plugin}' ({source})"
    hooks = by_hook()
    api = getattr(module, "GANBENCH_API", API_VERSION)
    if api != API_VERSION:
        raise PluginError(
            f"{who} is written for plugin API {api}, and ganbench {ganbench.__version__} has "
            f"{API_VERSION}; install a version of it for that, or another ganbench"
        )
    for name in marked:
        if name not in hooks:
            raise PluginError(f"{who} implements unknown hook '{name}'{suggestion(name, hooks)}")
    for name in hooks:
        if name not in marked and inspect.isfunction(vars(module).get(name)):
            raise PluginError(f"{who} defines {name} without @hookimpl above it")
    if not marked:
        raise PluginError(f"{who} implements no hook{known(hooks)}")


def check_class(kind: Kind, cls: type, source: PluginSource) -> None:
    """Refuse what is no finished dataclass of the kind's contract. Raises PluginError."""
    base: Any = kind.contract_class()
    word = kind.word
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginError(
            f"plugin '{source.plugin}' ({source}) registered {cls!r} as {an(word)}; "
            f"register a subclass of ganbench.{kind.contract}, the class itself and not an instance"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{word} {cls.__qualname__} ({source}) has the name {name!r}; give it a class "
            'attribute like name = "my-name", of lower-case words joined by hyphens'
        )
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise PluginError(f"{word} '{name}' ({source}) does not define {quoted(missing)}")
    if "__dataclass_fields__" not in vars(cls):
        raise PluginError(
            f"{word} '{name}' ({source}) is not a dataclass; put @dataclass(kw_only=True) above "
            f"class {cls.__qualname__}, so that its fields are its options"
        )
    if declared := {field.name for field in dataclasses.fields(cls)} & _declarations(base):
        raise PluginError(
            f"{word} '{name}' ({source}) annotates {quoted(sorted(declared))}, which makes it an "
            "option; write it without a type"
        )


@functools.cache
def _declarations(contract: type) -> set[str]:
    """Return the class attributes by which plugins of this contract describe themselves."""
    return {
        name
        for cls in contract.__mro__
        for name, annotation in inspect.get_annotations(cls).items()
        if "ClassVar" in str(annotation)
    }
