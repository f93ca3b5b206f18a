"""What pydantic complains of becomes sentences of ours, at the place where the value stands."""

from __future__ import annotations

from typing import Literal

import pydantic
import pytest

from ganbench.util.pydantic_errors import complaints


class Budget(pydantic.BaseModel, extra="forbid"):
    kimg: float = pydantic.Field(gt=0)
    unit: Literal["images", "steps"] = "images"


class Document(pydantic.BaseModel, extra="forbid"):
    budget: Budget
    size: int | None = None
    betas: tuple[float, float] = (0.0, 0.9)


def said(data: object) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(pydantic.ValidationError) as caught:
        Document.model_validate(data)
    return list(complaints(Document, data, caught.value))


def test_unknown_key_is_told_with_those_of_its_place():
    why = "unknown key 'kimgs' in 'budget'; did you mean 'kimg'?\n  known: kimg, unit"
    assert said({"budget": {"kimg": 1, "kimgs": 2}}) == [(("budget", "kimgs"), why)]


def test_missing_key_is_told_by_its_path():
    assert said({"budget": {}}) == [(("budget", "kimg"), "'budget.kimg' is missing")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"budget": {"kimg": 0}}, "budget.kimg: expected a number greater than 0, found 0"),
        ({"budget": {"kimg": []}}, "budget.kimg: expected a number, found []"),
        ({"budget": 3}, "budget: expected a mapping, found 3"),
        ({"budget": {"kimg": 1}, "size": 1.5}, "size: expected a whole number, found 1.5"),
        (
            {"budget": {"kimg": 1, "unit": "step"}},
            "budget.unit: expected 'images' or 'steps', found 'step'; did you mean 'steps'?",
        ),
        (
            {"budget": {"kimg": 1}, "betas": [0.5]},
            "betas: expected more values, found [0.5]",
        ),
    ],
)
def test_wrong_values_are_told_with_what_was_expected(data, why):
    assert [text for _, text in said(data)] == [why]
