"""Exact tests against enumeration, tables and each other."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from ganbench.gate.significance import holm, larger_p, mean_below_p, smallest_p


def enumerated(candidate: list[float], baseline: list[float]) -> float:
    """By drawing every subset: the share whose rank sum is at least the candidate's."""
    pooled = [*candidate, *baseline]
    ranks = [sum(y < x for y in pooled) + (sum(y == x for y in pooled) + 1) / 2 for x in pooled]
    observed = sum(ranks[: len(candidate)])
    sums = [sum(c) for c in itertools.combinations(ranks, len(candidate))]
    return sum(s >= observed - 1e-9 for s in sums) / len(sums)


@pytest.mark.parametrize("seed", range(40))
def test_p_value_is_that_of_enumeration_with_and_without_ties(seed):
    draw = random.Random(seed)
    n, m = draw.randint(1, 4), draw.randint(1, 7)
    values = [draw.choice((draw.random(), draw.randint(0, 3))) for _ in range(n + m)]
    candidate, baseline = values[:n], values[n:]
    assert larger_p(candidate, baseline) == pytest.approx(enumerated(candidate, baseline))


@pytest.mark.parametrize(
    ("n", "m", "p"),
    [(1, 3, 0.25), (2, 10, 1 / 66), (3, 3, 0.05), (3, 10, 1 / 286), (5, 5, 1 / 252)],
)
def test_full_separation_gives_the_smallest_p(n, m, p):
    assert smallest_p(n, m) == pytest.approx(p)
    assert larger_p([100.0 + i for i in range(n)], [float(i) for i in range(m)]) == pytest.approx(p)
    assert larger_p([-float(i) for i in range(n)], [1.0 + i for i in range(m)]) == pytest.approx(1)


def test_all_equal_says_nothing():
    assert larger_p([1.0] * 3, [1.0] * 10) == 1.0


def test_nothing_on_one_side_says_nothing():
    assert larger_p([], [1.0]) == larger_p([1.0], []) == 1.0


def test_large_samples_are_exact_too():
    """Normal approximation with continuity correction, which is good there."""
    candidate, baseline = [i + 6.5 for i in range(30)], [float(i) for i in range(30)]
    above = sum(c > b for c in candidate for b in baseline)
    z = (above - 450 - 0.5) / math.sqrt(30 * 30 * 61 / 12)
    assert larger_p(candidate, baseline) == pytest.approx(math.erfc(z / math.sqrt(2)) / 2, rel=0.1)


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ([1.0, 2.0, 3.0], 1 / 8),  # all below 4: no flip has a smaller sum
        ([5.0, 6.0, 7.0], 1.0),
        ([4.0, 4.0, 4.0], 1.0),  # at the bound: flips change nothing
        ([1.0, 2.0, 5.0], 2 / 8),  # distances -3, -2, +1: their sum is -4, and one flip has -6
        ([], 1.0),
        ([0.1 * i for i in range(10)], 1 / 1024),
    ],
)
def test_mean_below_a_bound_is_told_by_all_flips_of_signs(values, p):
    assert mean_below_p(values, 4.0) == p


@pytest.mark.parametrize("seed", range(10))
def test_flips_of_signs_are_those_of_enumeration(seed):
    draw = random.Random(seed)
    values = [draw.choice((draw.gauss(0, 1), float(draw.randint(-2, 1)))) for _ in range(8)]
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True))
        for signs in itertools.product((-1, 1), repeat=8)
    ]
    expected = sum(s <= sum(values) + 1e-9 for s in sums) / 256
    assert mean_below_p(values, 0.0) == pytest.approx(expected)


def test_more_values_than_flips_can_be_counted_are_refused():
    with pytest.raises(ValueError, match="at most 20 values, found 21"):
        mean_below_p([0.0] * 21, 1.0)


@pytest.mark.parametrize(
    ("found", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ],
)
def test_holm_steps_down(found, adjusted):
    assert holm(found) == pytest.approx(adjusted)


def test_holm_keeps_the_chance_of_any_false_alarm():
    draw = random.Random(0)
    alarms = sum(min(holm([draw.random() for _ in range(8)])) < 0.05 for _ in range(4000))
    assert alarms / 4000 == pytest.approx(0.05, abs=0.011)
