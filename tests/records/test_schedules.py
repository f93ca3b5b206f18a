"""A schedule is a closed form of how far training is; what it says is as short as it can be."""

from __future__ import annotations

import json
import math
from typing import Annotated

import pydantic
import pytest

from ganbench.records import stored
from ganbench.records.cells import canonical_json
from ganbench.records.schedules import (
    Amount,
    Schedulable,
    Schedule,
    Units,
    short,
    text_of,
)

FORMS = {  # from 0.05 to 0.005 of a budget of 200, by how many images were shown
    "linear": lambda i: 0.05 + (0.005 - 0.05) * i / 200,
    "cosine": lambda i: 0.005 + 0.045 * (1 + math.cos(math.pi * i / 200)) / 2,
    "exponential": lambda i: 0.05 * 0.1 ** (i / 200),
}


def of(**written) -> Schedule:
    return Schedule.of({"from": 0.05, "to": 0.005, **written})


@pytest.mark.parametrize("curve", FORMS)
def test_each_curve_is_its_formula_throughout(curve):
    schedule = of(curve=curve)
    for images in range(201):
        assert schedule.at(images, 200) == pytest.approx(FORMS[curve](images), rel=1e-12)
    assert schedule.at(0, 200) == 0.05
    assert schedule.at(200, 200) == schedule.at(5000, 200) == 0.005


def test_number_is_held_before_and_after():
    schedule = of(after=0.25, until={"kimg": 0.15})
    for images in range(201):
        between = 0.05 - 0.045 * (images - 50) / 100
        wanted = 0.05 if images < 50 else 0.005 if images >= 150 else between
        assert schedule.at(images, 200) == pytest.approx(wanted, rel=1e-12)


def test_warm_up_comes_before_the_curve():
    schedule = of(curve="cosine", warmup=0.1)
    for images in range(201):
        later = 0.005 + 0.045 * (1 + math.cos(math.pi * (images - 20) / 180)) / 2
        wanted = 0.05 * images / 20 if images < 20 else later
        assert schedule.at(images, 200) == pytest.approx(wanted, rel=1e-12)


def test_constant_curve_jumps_once():
    schedule = of(curve="constant", until=0.5)
    assert [schedule.at(i, 200) for i in (0, 99, 100, 199)] == [0.05, 0.05, 0.005, 0.005]


def test_budget_that_ends_early_leaves_the_rest_of_an_absolute_schedule_out():
    schedule = of(until={"kimg": 5000})
    assert schedule.at(100_000, 100_000) == pytest.approx(0.05 - 0.045 * 100 / 5000)


@pytest.mark.parametrize(
    ("written", "shortest"),
    [
        ({"curve": "linear", "after": 0, "until": 1.0, "warmup": 0}, {}),
        ({"curve": "cosine", "until": {"kimg": 5}}, {"curve": "cosine", "until": {"kimg": 5.0}}),
        ({"warmup": 0.1, "after": 0.1}, {"warmup": 0.1}),
        ({"warmup": 0.1, "after": 0.2}, {"warmup": 0.1, "after": 0.2}),
    ],
)
def test_ids_count_the_shortest_mapping(written, shortest):
    schedule = of(**written)
    assert schedule.plain() == {"from": 0.05, "to": 0.005, **shortest}
    assert json.loads(canonical_json({"lr": schedule}, "x")) == {"lr": schedule.plain()}
    assert stored.typed(Schedule, schedule.plain()).plain() == schedule.plain()


def test_equal_ends_are_a_number_unless_there_is_a_warm_up():
    assert Schedule.of({"from": 2, "to": 2.0, "after": 0.5}).shortest == 2.0
    warmed = Schedule.of({"from": 2, "to": 2, "warmup": 0.5})
    assert warmed.shortest is warmed


def test_epochs_and_steps_become_kimg_and_shares_stay():
    units = Units(epochs=1500, steps=64)
    schedule = of(after={"steps": 10}, until={"epochs": 4}, warmup=0.0).in_kimg(units)
    assert schedule.after == Amount(value=0.64, unit="kimg")
    assert schedule.until == Amount(value=6.0, unit="kimg")
    assert Amount(value=0.3).in_kimg(units) == Amount(value=0.3)
    with pytest.raises(ValueError, match="use kimg"):
        of(until={"epochs": 4}).in_kimg(Units(epochs=None, steps=64))
    with pytest.raises(ValueError, match="2 epochs were not turned into kimg"):
        Amount(value=2, unit="epochs").images(100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": 1}, r"a schedule has no key 'form'; did you mean 'from'\? It has from, to"),
        ({"to": None}, "a schedule needs a finite number as 'to'"),
        ({"to": True}, "a schedule needs a finite number as 'to'"),
        ({"from": math.inf}, "a schedule needs a finite number as 'from'"),
        ({"from": "2e-4"}, "a schedule needs a finite number as 'from'"),
        ({"curve": "cosin"}, "a curve is one of linear.*; did you mean 'cosine'"),
        ({"curve": ["linear"]}, "a curve is one of linear"),
        ({"after": 1.5}, "after: expected a share of the budget from 0 to 1.*found 1.5"),
        ({"until": {"kimg": -1}}, "until: expected a share"),
        ({"until": {"kimg": 1, "steps": 2}}, "until: expected a share"),
        ({"until": {"images": 1}}, "until: expected a share"),
        ({"warmup": True}, "warmup: expected a share"),
        ({"after": 0.8, "until": 0.5}, "`until` is before `after`; make it at least 0.8"),
        ({"warmup": 0.3, "after": 0.2}, "`after` is before `warmup`; make it at least 0.3"),
        ({"warmup": {"kimg": 3}, "until": {"kimg": 2}}, "make it at least 3 kimg"),
        ({"curve": "exponential", "to": 0}, "never meets or crosses zero"),
        ({"curve": "constant"}, "jumps once, at `until`"),
        ({"curve": "constant", "until": 0.5, "after": 0.2}, "and no `after`"),
    ],
)
def test_what_no_training_can_follow_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        of(**changes)


@pytest.mark.parametrize(
    ("moments", "kimg", "message"),
    [
        ({"after": {"kimg": 6}, "until": 0.5}, 10, "`until` is before `after`.*at least 6 kimg"),
        ({"after": 0.8, "until": {"epochs": 4}}, 10, "`until` is before `after`.*at least 0.8"),
        ({"warmup": {"steps": 100}, "until": 0.5}, 10, "`until` is before `warmup`"),
        ({"after": {"kimg": 6}, "until": 0.5}, 12, None),
        ({"after": {"kimg": 6}, "until": 0.5}, math.inf, None),
        ({"after": 0.6, "until": {"epochs": 4}}, 10, None),
        ({"after": {"kimg": 11}}, 10, "`until` is before `after`"),
    ],
)
def test_moments_of_several_units_are_in_order_by_the_budget(moments, kimg, message):
    units = Units(epochs=1500, steps=64, kimg=kimg)
    if message is None:
        of(**moments).in_kimg(units)
        return
    with pytest.raises(ValueError, match=message):
        of(**moments).in_kimg(units)


def test_both_ends_keep_the_limits_of_the_number():
    numbers = pydantic.TypeAdapter(Annotated[pydantic.PositiveFloat, Schedulable(also=(0.0,))])
    assert numbers.validate_python(2) == 2.0
    assert numbers.validate_python({"from": 1, "to": 0}) == Schedule(start=1.0, end=0.0)
    assert numbers.validate_python({"from": 1, "to": 1}) == 1.0
    for wrong, where in (({"from": 1, "to": -1}, "to"), ({"from": -1, "to": 1}, "from")):
        with pytest.raises(pydantic.ValidationError) as caught:
            numbers.validate_python(wrong)
        assert caught.value.errors()[0]["loc"] == (where,)
    with pytest.raises(pydantic.ValidationError):
        numbers.validate_python({"from": 0, "to": 0})  # the number 0


@pytest.mark.parametrize(
    ("number", "text"),
    [(2e-4, "2e-4"), (0.5, "0.5"), (0, "0"), (12345678, "1.23457e7"), (100, "100"), (5e-5, "5e-5")],
)
def test_numbers_are_short(number, text):
    assert short(number) == text


def test_schedule_in_words():
    assert text_of(2e-4) == "0.0002"
    assert text_of(Schedule.of({"from": 2e-4, "to": 5e-5, "curve": "cosine"})) == "2e-4→5e-5 cosine"
    whole = of(curve="cosine", after=0.5, until={"kimg": 500}, warmup={"kimg": 1})
    assert whole.text == "0.05→5e-3 cosine after 0.5 until 500 kimg warmup 1 kimg"


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("500 kimg", {"kimg": 500}),
        (" 2.5kimg", {"kimg": 2.5}),
        ("1 epoch", {"epochs": 1}),
        ("3 epochs", {"epochs": 3}),
        ("1000 steps", {"steps": 1000}),
    ],
)
def test_amounts_may_be_told_in_words(words, amount):
    assert Amount.of(words) == Amount.of(amount)
    moved = Schedule.of({"from": 1, "to": 0, "until": words})
    assert moved == Schedule.of({"from": 1, "to": 0, "until": amount})


@pytest.mark.parametrize("words", ["", "kimg", "5", "5 km", "-5 kimg", "1e3 kimg", "5 kimg or so"])
def test_other_words_are_no_amounts(words):
    with pytest.raises(ValueError, match="expected a share of the budget"):
        Amount.of(words)
