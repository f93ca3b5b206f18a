"""What every plugin class declares, whatever its kind."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass

from ganbench.registry.admission import NAME
from ganbench.registry.options import options_model
from ganbench.testing.rulebook import Rulebook

rules = Rulebook()


@rules.rule
def name_is_kebab_case(cls: type) -> None:
    name = getattr(cls, "name", None)
    assert isinstance(name, str), "declare a class attribute `name`, the name that YAML files use"
    assert NAME.fullmatch(name), (
        f"the name {name!r} is not in lower case with hyphens, such as 'wgan-gp'"
    )


@rules.rule
def is_a_documented_dataclass(cls: type) -> None:
    assert is_dataclass(cls), "decorate the class with @dataclass: its fields are its options"
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    assert not missing, f"it lacks the methods {missing} of its contract"
    own = inspect.cleandoc(vars(cls).get("__doc__") or "")
    generated = own.startswith(f"{cls.__name__}(")  # what @dataclass writes where there is none
    assert own, "give the class a docstring of one sentence; tables show it"
    assert not generated, "give the class a docstring of one sentence; tables show it"


@rules.rule
def options_can_stand_in_yaml(cls: type) -> None:
    if not is_dataclass(cls):
        return
    try:
        options_model(cls)
    except Exception as error:
        raise AssertionError(
            f"its fields cannot be options of a YAML file ({error}); give what is none "
            "field(init=False), and options plain types, such as float or Literal"
        ) from error
