"""Comments beside options are what they mean; types that list values are their choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pydantic

from ganbench.registry.option_meanings import choices, meanings


@dataclass
class Base:
    # of the base
    inherited: int = 1
    replaced: int = 2  # the old one


@dataclass
class Plugin(Base):
    """A plugin."""

    plain: int = 1
    behind: int = 2  # said behind it
    # Said above it,
    # on two lines.
    above: float = 3.0

    # not of the next one, as a line is between

    apart: int = 4
    long: list[int] = field(
        default_factory=list,
    )  # of several lines
    replaced: int = 5  # the new one
    marked: int = 6
    text: str = "# no comment"

    def method(self) -> None:
        """Whose comments are its own."""
        inner: int = 1  # not an option
        del inner


def test_comments_behind_and_above_an_option_are_what_it_means():
    assert meanings(Plugin) == {
        "inherited": "of the base",
        "replaced": "the new one",
        "behind": "said behind it",
        "above": "Said above it, on two lines.",
        "long": "of several lines",
    }


def test_a_class_without_source_has_none():
    assert meanings(dataclass(type("Made", (), {"__annotations__": {"x": int}, "x": 1}))) == {}


def test_values_are_listed_of_literals_alone():
    Side = Literal["left", "right"]

    class Model(pydantic.BaseModel):
        side: Side
        perhaps: Side | None
        several: Side | Literal[3]
        named: Annotated[Side, "a note"]
        open_ended: Side | int
        number: int
        some: list[Side]

    assert choices(Model) == {
        "side": ["left", "right"],
        "perhaps": ["left", "right", None],
        "several": ["left", "right", 3],
        "named": ["left", "right"],
    }
