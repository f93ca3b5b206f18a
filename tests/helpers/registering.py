"""Modules and classes to register, made in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ganbench import Reporter, hookimpl
from ganbench.registry.discovery import PluginSource

HERE = PluginSource("mine", "ganbench-mine", "1.2")


PLUGIN = '''\
"""A plugin."""
from dataclasses import dataclass
from ganbench import Reporter, hookimpl

@dataclass(kw_only=True)
class Shout(Reporter):
    """Writes in capitals."""

    name = "{name}"

    def write(self, report, directory):
        pass

@hookimpl
def register_reporters(register):
    register(Shout)
'''


def module(**content: Any) -> ModuleType:
    made = ModuleType("plugin")
    vars(made).update(content)
    return made


def registering(*classes: Any) -> ModuleType:
    """A module that registers these as reporters."""

    @hookimpl
    def register_reporters(register: Callable[[type], None]) -> None:
        for cls in classes:
            register(cls)

    return module(register_reporters=register_reporters)


def reporter(name: str) -> type[Reporter]:
    @dataclass(kw_only=True)
    class Made(Reporter):
        def write(self, report: Any, directory: Path) -> None: ...

    Made.name = name
    return Made


@dataclass(kw_only=True)
class Optioned(Reporter):
    """Has options of every kind.

    And more to say.
    """

    name = "optioned"
    digits: int
    scale: float = 1.0
    style: Literal["plain", "fancy"] = "plain"
    copy: bool = False  # also the name of a method of pydantic's models
    limits: tuple[float, float] | None = None
    tags: list[str] = field(default_factory=list)
    either: int | str = 0
    _lines: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.digits < 0:
            raise ValueError("digits is negative; count from 0")

    def write(self, report: Any, directory: Path) -> None: ...
