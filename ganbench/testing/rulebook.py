"""The rules of a kind of plugin, collected as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

Rule = Callable[[Any], None]
"""Raises AssertionError where a fresh instance of a plugin breaks one rule of its kind."""

F = TypeVar("F", bound=Callable[..., None])


class Rulebook:
    """The rules of one module, each decorated as one, and those of the books it is made of."""

    def __init__(self, *parts: Rulebook) -> None:
        self._parts = parts
        self._chapters: list[Callable[[type], Mapping[str, Rule]]] = [*parts]
        self.functions: list[Callable[..., None]] = []  # of this module's own rules

    def rule(self, function: F) -> F:
        """Make a function a rule: it gets a fresh instance of a plugin and asserts one thing."""
        return self.rule_where(lambda cls: True)(function)

    def rule_where(self, holds: Callable[[type], bool]) -> Callable[[F], F]:
        """Make the decorated function a rule for the classes of which `holds` is true."""

        def entered(function: F) -> F:
            named = {function.__name__: function}
            self.functions.append(function)
            self._chapters.append(lambda cls: named if holds(cls) else {})
            return function

        return entered

    def rule_for_each(self, cases: Callable[[type], Iterable[str]]) -> Callable[[F], F]:
        """Make the decorated function a rule for each case of a class, which it gets first.

        Of the case "" it has the function's plain name.
        """

        def entered(function: F) -> F:
            name = function.__name__
            self.functions.append(function)
            self._chapters.append(
                lambda cls: {
                    f"{name}[{case}]" if case else name: partial(function, case)
                    for case in cases(cls)
                }
            )
            return function

        return entered

    def names(self) -> list[str]:
        """Return the names of all rules, without cases, those of its parts first."""
        of_parts = [name for part in self._parts for name in part.names()]
        return [*of_parts, *(function.__name__ for function in self.functions)]

    def __call__(self, cls: type) -> dict[str, Rule]:
        """Return the rules that hold for a plugin's class, by name, in the order of the book."""
        return {name: rule for chapter in self._chapters for name, rule in chapter(cls).items()}
