"""What a number must do along the settings of a sanity check, within the published tolerances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

DROP = 0.2  # from the best to the worst setting, at least
HALFWAY = 0.1  # of it that is lost half way, at least
STRAY = 0.1  # by which another setting may be better than the best, or worse than the worst
CLOSE = 0.05  # to a known value, or of what must not change

Verdict = bool | Literal["low", "high"]
"""Whether it does; of a diversity that may do one of two things, which."""


class Curve(NamedTuple):
    """What a number is at each setting, in the settings' order."""

    at: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def first(self) -> float:
        """The value at the first setting."""
        return self.values[0]

    @property
    def last(self) -> float:
        """The value at the last setting."""
        return self.values[-1]

    @property
    def span(self) -> float:
        """How far the values are apart."""
        return max(self.values) - min(self.values)

    def of(self, setting: float) -> float:
        """Return the value at a setting."""
        return self.values[self.at.index(setting)]


Judge = Callable[[Curve], Verdict]


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several: each must hold, and no two may be of other kinds."""
    found = set(verdicts)
    kinds = found - {True}
    if False in found or len(kinds) > 1:
        return False
    return kinds.pop() if kinds else True


def each(*judges: Judge) -> Judge:
    """Return a judge that is content where all of these are."""
    return lambda curve: together(judge(curve) for judge in judges)


def level(curve: Curve) -> bool:
    """Judge whether it stays the same."""
    return curve.span <= CLOSE


def falling(curve: Curve) -> bool:
    """Judge whether it is best at the first setting and worst at the last."""
    return (
        curve.first - curve.last >= DROP
        and max(curve.values) - curve.first <= STRAY
        and curve.last - min(curve.values) <= STRAY
    )


def rising(curve: Curve) -> bool:
    """Judge whether it is worst at the first setting and best at the last."""
    return falling(Curve(curve.at, curve.values[::-1]))


def falling_by(halfway: float) -> Judge:
    """Return a judge of falling which asks that some is lost at a setting half way."""

    def judge(curve: Curve) -> bool:
        return falling(curve) and curve.first - curve.of(halfway) >= HALFWAY

    return judge


def peak(middle: float) -> Judge:
    """Return a judge of whether it is best at a setting between the others, and falls from it."""

    def judge(curve: Curve) -> bool:
        best, ends = curve.of(middle), (curve.first, curve.last)
        return (
            best - max(ends) >= DROP
            and max(curve.values) - best <= STRAY
            and min(ends) - min(curve.values) <= STRAY
        )

    return judge


def is_at(setting: float, value: float) -> Judge:
    """Return a judge of whether it has a known value at a setting."""
    return lambda curve: abs(curve.of(setting) - value) <= CLOSE


def starts_at(value: float) -> Judge:
    """Return a judge of whether it has a known value at the first setting."""
    return lambda curve: abs(curve.first - value) <= CLOSE


def ends_at(value: float) -> Judge:
    """Return a judge of whether it has a known value at the last setting."""
    return lambda curve: abs(curve.last - value) <= CLOSE


def either(low: Judge, high: Judge) -> Judge:
    """Return a judge of a diversity, which samples wider than the data may lower or may not."""

    def judge(curve: Curve) -> Verdict:
        if low(curve):
            return "low"
        return "high" if high(curve) else False

    return judge
