"""When seeds are bought, and when a pair is decided."""

from __future__ import annotations

import math

import pytest

from ganbench import Column
from ganbench.archive.deciding import Course, decided, needed, worth_more
from ganbench.archive.scores import Scores


def made(**values: list[float]) -> Scores:
    losses = {(variant, "t"): tuple(found) for variant, found in values.items()}
    return Scores(Column("fid", direction="min"), ("dataset",), ("t",), tuple(values), losses)


def test_looks_go_from_the_first_seeds_to_the_cap_and_share_alpha():
    course = Course.of(4, 10, 3, 0.05)
    assert (course.sizes, course.pairs) == ((4, 8, 10), 3)
    assert course.level == pytest.approx(0.05 / 9)
    assert Course.of(4, 8, 2, 0.05).sizes == (4, 8)
    assert Course.of(4, 4, 2, 0.05).sizes == (4,)


def test_a_pair_is_decided_by_the_first_seeds_of_a_look_and_stays_so():
    course = Course.of(6, 12, 2, 0.05)
    apart = made(a=[1, 2, 3, 4, 5, 6], b=[11, 12, 13, 14, 15, 16])
    (first,) = decided(apart, 6, course, ())
    assert (first.better, first.worse, first.seeds) == ("a", "b", 6)
    assert first.p == pytest.approx(2 / math.comb(12, 6))
    back = made(a=[*range(1, 7), *range(100, 106)], b=[11, 12, 13, 14, 15, 16, *range(6)])
    assert decided(back, 12, course, (first,)) == (first,)
    assert decided(apart, 12, course, ()) == ()  # neither has so many


def test_more_seeds_are_worth_it_for_pairs_within_reach_alone():
    course = Course.of(4, 20, 3, 0.05)
    scores = made(a=[1.0, 2.0, 3.0, 4.0], b=[3.0, 4.0, 5.0, 6.0], c=[3.1, 4.0, 5.0, 6.0])
    wanted, beyond = worth_more(scores, course, ())
    assert set(wanted) == {"a", "b", "c"}
    assert beyond == (("b", "c"),)
    assert needed(scores, "b", "c", course) > 1000
    equal = made(a=[1.0] * 4, b=[1.0] * 4)
    assert worth_more(equal, Course.of(4, 20, 2, 0.05), ()) == ((), (("a", "b"),))


def test_more_spread_wants_more_seeds():
    course = Course.of(4, 20, 2, 0.05)
    near = needed(made(a=[1.0, 1.1, 0.9, 1.0], b=[2.0, 2.1, 1.9, 2.0]), "a", "b", course)
    far = needed(made(a=[1.0, 4.0, -2.0, 1.0], b=[2.0, 5.0, -1.0, 2.0]), "a", "b", course)
    assert near < far


def test_a_diverged_seed_leaves_a_pair_within_reach():
    scores = made(a=[1.0, 2.0, math.inf, 4.0], b=[3.0, 4.0, 5.0, 6.0])
    assert worth_more(scores, Course.of(4, 20, 2, 0.05), ())[0] == ("a", "b")
