"""Rules are collected as they are written, so that none is left out."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

from ganbench.testing import rules
from ganbench.testing.rulebook import Rulebook

MODULES = [
    importlib.import_module(f"{rules.__name__}.{found.name}")
    for found in pkgutil.iter_modules(rules.__path__)
]


class Plugin:
    sizes = ("small", "large")
    broken = False


@pytest.fixture
def book() -> Rulebook:
    part = Rulebook()

    @part.rule
    def stands_in_a_part(plugin: Plugin) -> None: ...

    book = Rulebook(part)

    @book.rule
    def is_whole(plugin: Plugin) -> None:
        assert not plugin.broken, "it is broken"

    @book.rule_where(lambda cls: cls.broken)
    def is_for_broken_ones(plugin: Plugin) -> None: ...

    @book.rule_for_each(lambda cls: cls.sizes)
    def fits(size: str, plugin: Plugin) -> None:
        assert size == "small", f"{size} does not fit"

    return book


def test_rules_are_found_by_name_in_the_order_in_which_they_stand(book: Rulebook) -> None:
    assert [*book(Plugin)] == ["stands_in_a_part", "is_whole", "fits[small]", "fits[large]"]


def test_rule_may_hold_for_some_classes_alone(book: Rulebook) -> None:
    class Broken(Plugin):
        broken = True

    assert book(Broken).keys() - book(Plugin).keys() == {"is_for_broken_ones"}
    with pytest.raises(AssertionError, match="it is broken"):
        book(Broken)["is_whole"](Broken())


def test_rule_for_each_case_gets_its_own(book: Rulebook) -> None:
    book(Plugin)["fits[small]"](Plugin())
    with pytest.raises(AssertionError, match="large does not fit"):
        book(Plugin)["fits[large]"](Plugin())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_public_function_of_a_module_of_rules_is_one(module: ModuleType) -> None:
    own = {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert own
    assert own == {rule.__name__ for rule in module.rules.functions}
