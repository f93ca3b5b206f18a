"""When to buy more seeds, and when a pair is decided: looks at more and more seeds, α kept.

Each pair of variants is tested at each look, by the exact test that ranks have, on the first seeds
of both: as many as that look has, whatever earlier looks gave. Each test has the part of α that is
its due, α / (looks × pairs), so that by the union bound the chance of any false decision at any
look is below α, however seeds are bought in between.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance

from ganbench.archive.scores import Scores
from ganbench.gate.significance import looks, stratified_p
from ganbench.records.run_info import Decision


@dataclass(frozen=True)
class Course:
    """At how many seeds one looks, and the chance of any false decision."""

    sizes: tuple[int, ...]
    pairs: int
    alpha: float

    @classmethod
    def of(cls, first: int, cap: int, variants: int, alpha: float) -> Course:
        """Return looks at as many seeds as there are at first, twice as many, and on to the cap."""
        return cls(looks(first, cap), math.comb(variants, 2), alpha)

    @property
    def level(self) -> float:
        """What a pair's p-value has to be below at one look."""
        return self.alpha / (len(self.sizes) * self.pairs)


def decided(
    scores: Scores, size: int, course: Course, before: Sequence[Decision]
) -> tuple[Decision, ...]:
    """Return the decisions after a look at `size` seeds, those of before among them."""
    known = {frozenset((one.better, one.worse)) for one in before}
    found = list(before)
    for a, b in itertools.combinations(scores.variants, 2):
        strata = [(x[:size], y[:size]) for x, y in zip(scores.of(a), scores.of(b), strict=True)]
        if {a, b} in known or any(min(len(x), len(y)) < size for x, y in strata):
            continue
        a_better = stratified_p([(y, x) for x, y in strata])
        b_better = stratified_p(strata)
        p = min(1.0, 2 * min(a_better, b_better))
        if p < course.level:
            first, second = (a, b) if a_better < b_better else (b, a)
            found.append(Decision(first, second, size, p))
    return tuple(found)


def worth_more(
    scores: Scores, course: Course, decisions: Iterable[Decision]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the variants for which more seeds are worth their price, and pairs out of reach.

    A tied pair is within reach where, if means and spreads stay as they are, as many seeds as the
    last look has would decide it.
    """
    known = {frozenset((one.better, one.worse)) for one in decisions}
    wanted: dict[str, None] = {}
    beyond = []
    for a, b in itertools.combinations(scores.variants, 2):
        if {a, b} in known:
            continue
        if needed(scores, a, b, course) <= course.sizes[-1]:
            wanted |= dict.fromkeys((a, b))
        else:
            beyond.append((a, b))
    return tuple(wanted), tuple(beyond)


def needed(scores: Scores, a: str, b: str, course: Course) -> float:
    """Return about how many seeds of each would decide a pair; infinite where none would.

    By the normal approximation, with the differences of all tasks added up in units of their
    errors. Where a seed has lost on one side alone, or errors are not known, a few more may.
    """
    units = 0.0
    for x, y in zip(scores.of(a), scores.of(b), strict=True):
        if not all(map(math.isfinite, (*x, *y))) or min(len(x), len(y)) < 2:
            return float(course.sizes[-1]) if x != y else math.inf
        spread = math.sqrt(variance(x) + variance(y))
        difference = fmean(y) - fmean(x)
        units += (
            difference / spread if spread else math.copysign(1e3, difference) * bool(difference)
        )
    if not units:
        return math.inf
    z = NormalDist().inv_cdf(1 - course.level / 2)
    return (z * math.sqrt(len(scores.tasks)) / units) ** 2
