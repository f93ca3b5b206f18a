"""What passes a sanity check, at the published tolerances and on either side of them."""

from __future__ import annotations

import pytest

from ganbench.testing.sanity.shapes import (
    Curve,
    each,
    either,
    ends_at,
    falling,
    falling_by,
    is_at,
    level,
    peak,
    rising,
    starts_at,
    together,
)


def curve(*values: float) -> Curve:
    """At the settings 0, 1, 2 and so on."""
    return Curve(tuple(map(float, range(len(values)))), values)


@pytest.mark.parametrize(
    ("judge", "passes", "fails"),
    [
        (level, (0.5, 0.54, 0.5), (0.5, 0.56, 0.5)),
        (falling, (0.5, 0.4, 0.29), (0.5, 0.4, 0.31)),
        (falling, (0.5, 0.59, 0.1), (0.5, 0.61, 0.1)),
        (falling, (0.9, 0.01, 0.1), (0.9, -0.01, 0.1)),
        (rising, (0.29, 0.4, 0.5), (0.31, 0.4, 0.5)),
        (falling_by(1.0), (1, 0.89, 0), (1, 0.91, 0)),
        (falling_by(1.0), (1, 0.89, 0.05), (1, 0.89, 0.9)),
        (peak(1.0), (0.7, 0.91, 0.7), (0.7, 0.89, 0.7)),
        (peak(1.0), (0.1, 0.9, 0.65), (0.1, 0.9, 0.75)),
        (peak(2.0), (0, 0.99, 0.9, 0.3, 0), (0, 1.01, 0.9, 0.3, 0)),
        (peak(1.0), (0.3, 0.9, 0.21, 0.6), (0.3, 0.9, 0.19, 0.6)),
        (is_at(1.0, 1), (0, 1.04, 0), (0, 1.06, 0)),
        (starts_at(0), (-0.04, 1, 1), (-0.06, 1, 1)),
        (ends_at(0.2), (1, 1, 0.24), (1, 1, 0.14)),
        (each(starts_at(1), ends_at(0)), (1, 0.5, 0), (1, 0.5, 0.5)),
    ],
)
def test_tolerances_hold_on_both_sides(judge, passes, fails):
    assert judge(curve(*passes)) is True
    assert judge(curve(*fails)) is False


def test_diversity_of_wide_samples_may_be_low_or_high_but_not_half():
    judge = either(ends_at(0), ends_at(1))
    assert judge(curve(1, 0)) == "low"
    assert judge(curve(0, 1)) == "high"
    assert judge(curve(0, 0.5)) is False


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([True, True], True),
        ([True, False, "low"], False),
        ([True, "low", "low"], "low"),
        (["high", True], "high"),
        (["low", "high"], False),
    ],
)
def test_verdicts_of_several_are_one(verdicts, expected):
    assert together(verdicts) == expected
