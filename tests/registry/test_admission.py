"""What cannot be a plugin is refused with a sentence that says what to change."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from helpers.registering import HERE, Optioned, module, registering, reporter

from ganbench import Loss, Reporter, hookimpl
from ganbench.errors import PluginError
from ganbench.registry.registry import Registry


def test_misspelt_hook_gets_a_suggestion() -> None:
    @hookimpl
    def register_loss(register: Callable[[type], None]) -> None: ...

    message = r"plugin 'mine' .* unknown hook 'register_loss'; did you mean 'register_losses'\?"
    with pytest.raises(PluginError, match=message):
        Registry().add(module(register_loss=register_loss), HERE)


def test_forgotten_hookimpl_is_pointed_out() -> None:
    def register_losses(register: Callable[[type], None]) -> None: ...

    with pytest.raises(PluginError, match="defines register_losses without @hookimpl"):
        Registry().add(module(register_losses=register_losses), HERE)


def test_module_without_hooks_is_refused() -> None:
    with pytest.raises(PluginError, match=r"implements no hook\n  known: register_losses"):
        Registry().add(module(), HERE)


class Undecorated(Reporter):
    name = "undecorated"

    def write(self, report: Any, directory: Path) -> None: ...


@dataclass
class Annotated(Reporter):
    name: str = "annotated"

    def write(self, report: Any, directory: Path) -> None: ...


@dataclass
class AnnotatedRecipe(Loss):
    name = "annotated-recipe"
    needs_labels: bool = True

    def discriminator_loss(self, step: Any) -> Any: ...
    def generator_loss(self, step: Any) -> Any: ...


@dataclass
class Unfinished(Reporter):
    name = "unfinished"


@dataclass
class ClassVarName(Reporter):
    name: ClassVar[str] = "class-var"

    def write(self, report: Any, directory: Path) -> None: ...


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Undecorated, "'undecorated' .* is not a dataclass; put @dataclass"),
        (Annotated, "'annotated' .* annotates 'name', which makes it an option"),
        (Unfinished, "'unfinished' .* does not define 'write'"),
        (Optioned(digits=1), "the class itself and not an instance"),
        (AnnotatedRecipe, "as a reporter; register a subclass of ganbench.Reporter"),
        ("text", "registered 'text' as a reporter"),
        (reporter("Bad_Name"), "has the name 'Bad_Name'; give it a class attribute"),
        (reporter(""), "has the name ''"),
        (reporter(None), "has the name None"),  # type: ignore[arg-type]
    ],
)
def test_class_that_cannot_be_a_plugin_is_refused(given: Any, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        Registry().add(registering(given), HERE)


def test_annotated_declaration_of_a_contract_is_refused() -> None:
    @hookimpl
    def register_losses(register: Callable[[type], None]) -> None:
        register(AnnotatedRecipe)

    with pytest.raises(PluginError, match="annotates 'needs_labels', which makes it an option"):
        Registry().add(module(register_losses=register_losses), HERE)


def test_name_annotated_as_class_variable_is_fine() -> None:
    plugins = Registry()
    plugins.add(registering(ClassVarName), HERE)
    assert plugins.build("reporter", "class-var", {}) == ClassVarName()
