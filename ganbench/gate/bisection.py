"""Which of a line of commits made a number worse: a binary search whose steps are exact tests.

The first commit is good and the last is bad, which is shown first: by the gate's verdict, on every
gated number. The number that tells them apart best is then followed. A commit between is bad where
the gate says that it is worse than the good one, and good where the gate says that it is better
than the bad one; seeds are bought until either is shown, or the cap is reached.

Each test is on the first seeds of both sides, as many as that look has, whatever earlier looks
gave. α is divided among the decisions that are left, the looks of each at which a test could decide
anything, and the numbers from which the followed one was chosen. Where every commit is either as
good as the good one or as bad as the bad one, the decisions before the first false one are fixed,
so that the union bound holds: the chance of any false decision is below α.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from statistics import median, stdev
from typing import Literal, Protocol

from ganbench.errors import BaselineError, MeasurementError
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Comparison, Policy, Tolerance, Verdict
from ganbench.gate.measurements import Measurements, Series
from ganbench.gate.significance import larger_p, looks, smallest_p
from ganbench.gate.trained import Number, Trained, are_same, ranked
from ganbench.util.messages import counted

Word = Literal["good", "bad", "undecided", "skipped"]
_FOLLOWED = ("quality", "numerics", "count")  # what is followed first where several regressed
_EXACT = Tolerance(0.0, 0.0)


@dataclass(frozen=True)
class Rules:
    """What a search goes by."""

    policy: Policy
    seeds: tuple[int, ...]  # in the order in which they are bought, as many as the cap
    first: int  # so many are bought at a time
    metric: str | None = None  # the number to follow; None: the gated one that tells most

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return at how many seeds one looks."""
        return looks(self.first, len(self.seeds))


class Measure(Protocol):
    """Measure a commit with so many seeds, of all cells or of the followed number's.

    Raises MeasurementError where it cannot run.
    """

    def __call__(self, commit: str, size: int, number: Number | None, /) -> Trained:
        """Return its first `size` seeds, trained where they are not yet."""
        ...


@dataclass(frozen=True)
class Step:
    """A commit, and what was found of it."""

    commit: str
    word: Word
    why: str
    values: tuple[float, ...] = ()  # of its seeds; infinite where training diverged
    p_worse: float | None = None  # that it is as good as the good one, for all that was seen
    p_better: float | None = None  # that it is as bad as the bad one
    level: float | None = None  # below which either decides, at each look; None: no test was made


@dataclass(frozen=True)
class Found:
    """How a search ended."""

    commits: tuple[str, ...]
    number: Number
    ends: Verdict  # on the bad end against the good one
    steps: tuple[Step, ...]
    last_good: int
    first_bad: int
    undecided: str | None = None  # the commit at which it stopped

    @property
    def suspects(self) -> tuple[str, ...]:
        """Return the commits of which one is the first bad one; it is found where it is alone."""
        return self.commits[self.last_good + 1 : self.first_bad + 1]


def depth(commits: int) -> int:
    """Return how many decisions a binary search of so many commits takes at most."""
    return commits.bit_length()


def telling_looks(sizes: Sequence[int], alpha: float, family: int) -> tuple[tuple[int, ...], float]:
    """Return the looks at which a test could decide anything, and the level of each.

    Earlier ones, with too few seeds for any p-value below it, are given no part of alpha.
    """
    for k in range(len(sizes), 0, -1):
        n, level = sizes[-k], alpha / k
        if smallest_p(n, n) * family < level:
            return tuple(sizes[-k:]), level
    return (), 0.0


def search(
    commits: Sequence[str],
    rules: Rules,
    measure: Measure,
    *,
    skip: Collection[str] = (),
    tell: Callable[[str], None] = lambda line: None,
    saw: Callable[[Number], None] = lambda number: None,
) -> Found:
    """Find the first bad commit; the first of `commits` is good and the last bad.

    `tell` is given a line after each decision, and `saw` the number that is followed. Raises
    BaselineError where the ends cannot be told apart, and what `measure` raises for them.
    """
    return _Search(tuple(commits), rules, measure, set(skip), tell).run(saw)


@dataclass
class _Search:
    commits: tuple[str, ...]
    rules: Rules
    measure: Measure
    skipped: set[str]
    tell: Callable[[str], None]

    def run(self, saw: Callable[[Number], None]) -> Found:
        """Decide the ends, and then commits between them until none is left."""
        left = self.rules.policy.alpha
        low, high = 0, len(self.commits) - 1
        share = left / (1 + depth(len(self._open(low, high))))
        ends, number = self._ends(share)
        saw(number)
        left -= share
        steps: list[Step] = []
        misses = 0
        undecided = None
        while undecided is None and (between := self._open(low, high)):
            i = between[int(len(between) * _spread(misses + 1))]
            level = left / depth(len(between))
            step = self._step(self.commits[i], number, level)
            steps.append(step)
            self.tell(f"step {len(steps)}: {step.commit[:10]} is {step.word}: {step.why}")
            if step.word == "skipped":
                self.skipped.add(step.commit)
                misses += 1
                continue
            misses = 0
            left -= level if step.level is not None else 0.0
            if step.word == "undecided":
                undecided = step.commit
            low, high = (i if step.word == "good" else low), (i if step.word == "bad" else high)
        return Found(self.commits, number, ends, tuple(steps), low, high, undecided)

    def _open(self, low: int, high: int) -> list[int]:
        return [i for i in range(low + 1, high) if self.commits[i] not in self.skipped]

    def _ends(self, alpha: float) -> tuple[Verdict, Number]:
        """Buy seeds for both ends until the gate says that the bad one has regressed."""
        rules = self.rules
        for size in rules.sizes:
            good, bad = (
                self._at(self.commits[0], None, size),
                self._at(self.commits[-1], None, size),
            )
            tests = _family(good, bad, rules.policy)
            used, level = telling_looks(rules.sizes, alpha, max(1, tests))
            found = compare(good, bad, replace(rules.policy, alpha=level or alpha))
            is_last = size == rules.sizes[-1]
            followed = {
                "quality": size in used,
                **dict.fromkeys(("numerics", "count"), rules.metric or not tests or is_last),
            }
            regressed = [
                v
                for v in found.gated("regressed")
                if followed.get(v.kind) and rules.metric in (None, v.metric)
            ]
            if regressed:
                chosen = min(regressed, key=lambda v: (_FOLLOWED.index(v.kind), -_gap(v)))
                column = bad.cells[chosen.cell].series[chosen.metric].column
                self.tell(f"the ends differ: {chosen.label} {chosen.metric}: {chosen.evidence}")
                return chosen, Number(chosen.label, column, max(1, tests))
            if are_same(good, bad):
                raise BaselineError(
                    f"{self._pair} train the very same: every number of {counted(size, 'seed')} is "
                    "equal; name other revisions, or a benchmark that shows what went wrong"
                )
            self.tell(f"the ends are not told apart by {counted(size, 'seed')} of each")
        raise BaselineError(self._not_apart(found, used, level))

    @property
    def _pair(self) -> str:
        return f"--good {self.commits[0][:10]} and --bad {self.commits[-1][:10]}"

    def _not_apart(self, found: Comparison, used: Sequence[int], level: float) -> str:
        """Say why the ends cannot be told apart, and what to do."""
        gated = [v for v in found.gated() if self.rules.metric in (None, v.metric)]
        numbers = [v for v in gated if v.word in ("inconclusive", "unchanged", "improved")]
        if not numbers:
            why = "; ".join(dict.fromkeys(v.evidence for v in gated)) or "no gated number on both"
            return (
                f"{self._pair} have no number that can be compared: {why}; --metric names one that "
                "both have and of which one way is better"
            )
        better = [v for v in numbers if v.word == "improved"]
        if better:
            return (
                f"{self._pair}: the bad one is better: {better[0].label} {better[0].metric}: "
                f"{better[0].evidence}; and no number that is gated is worse"
            )
        nearest = min(numbers, key=lambda v: 1.0 if v.p is None else v.p)
        what = f"{nearest.label} {nearest.metric}: {nearest.evidence}"
        size = counted(len(self.rules.seeds), "seed")
        if not used:
            return (
                f"{self._pair}: {size} can never tell them apart here; raise --max-seeds, or name "
                f"one number with --metric and one cell with --only ({what})"
            )
        return (
            f"{self._pair} are not told apart by {size} of each, so that the bad one may be as "
            f"good: p has to be below {level:.2g} ({what}); raise --max-seeds, name other "
            "revisions, or the number that is worse with --metric"
        )

    def _step(self, commit: str, number: Number, alpha: float) -> Step:
        """Buy seeds for a commit until it is decided, or say why it cannot be."""
        sizes = self.rules.sizes
        used, level = telling_looks(sizes, alpha / number.family, 1)
        step = None
        for size in sizes:
            try:
                step = self._look(commit, number, size, level if size in used else 0.0)
            except MeasurementError as error:
                return Step(commit, "skipped", str(error))
            if step.word != "undecided":
                return step
        assert step is not None
        return step

    def _look(self, commit: str, number: Number, size: int, level: float) -> Step:
        there = self._at(commit, number, size)
        good, bad = (self._at(self.commits[i], number, size) for i in (0, -1))
        if not are_same(good, bad):
            ends: tuple[tuple[Measurements, Word], ...] = ((good, "good"), (bad, "bad"))
            for end, word in ends:
                if are_same(end, there):
                    why = f"the same numbers as the {word} end, {counted(size, 'seed')}"
                    return Step(commit, word, why, _values(there, number))
        policy = self._policy(number, level)
        worse = _verdict(good, there, number, policy)
        if number.column.kind != "quality":
            found: Word = "bad" if worse.word == "regressed" else "good"
            return Step(commit, found, worse.evidence, worse.candidate)
        return _judged(commit, number, worse, _verdict(bad, there, number, policy), level)

    def _policy(self, number: Number, level: float) -> Policy:
        """Return the rules of a step. What matters was asked of the ends: none is too small."""
        policy = self.rules.policy
        tolerance = _EXACT if number.column.kind == "quality" else policy.tolerance(number.column)
        name = number.column.name
        return Policy(level or policy.alpha, (name,), {name: tolerance})

    def _at(self, commit: str, number: Number | None, size: int) -> Measurements:
        """Return a commit's cells, by what both ends know of their numbers."""
        trained, *ends = (self.measure(c, size, number) for c in (commit, *self._two))
        known: dict[str, dict[str, Series]] = {}
        for end in ends:
            for label, cell in end.measurements.cells.items():
                for name, series in cell.series.items():
                    if series.values:
                        known.setdefault(label, {}).setdefault(name, series)
        return ranked(trained, known, number)

    @property
    def _two(self) -> tuple[str, str]:
        return self.commits[0], self.commits[-1]


def _family(good: Measurements, bad: Measurements, policy: Policy) -> int:
    """Return how many gated numbers are tested: what is equal seed by seed is not."""
    return sum(
        series.column.kind == "quality"
        and series.column.direction != "none"
        and policy.gates(series.column)
        and bool(series.values)
        and label in bad.cells
        and name in bad.cells[label].series
        and series.values != bad.cells[label].series[name].values
        for label, cell in good.cells.items()
        for name, series in cell.series.items()
    )


def _verdict(end: Measurements, there: Measurements, number: Number, policy: Policy) -> Verdict:
    """Return the gate's verdict on the followed number of a commit, against an end.

    Raises MeasurementError where they cannot be compared.
    """
    name = number.column.name
    verdicts = compare(_alone(end, number), _alone(there, number), policy).verdicts
    if not verdicts:
        raise MeasurementError(f"it has no number {name} of {number.label}")
    if verdicts[0].word in ("incomparable", "missing", "new"):
        raise MeasurementError(f"{name} of {number.label}: {verdicts[0].evidence}")
    return verdicts[0]


def _alone(found: Measurements, number: Number) -> Measurements:
    """Return measurements of one number of one cell."""
    cell, name = found.cells[number.label], number.column.name
    series = {name: cell.series[name]} if name in cell.series else {}
    return replace(found, cells={number.label: replace(cell, series=series)})


def _judged(commit: str, number: Number, worse: Verdict, better: Verdict, level: float) -> Step:
    """Return what verdicts against the good end and against the bad one make of a commit."""
    sign = -1.0 if number.column.direction == "max" else 1.0
    good, bad, values = (
        [sign * x for x in side] for side in (worse.baseline, better.baseline, worse.candidate)
    )
    is_bad = level > 0 and worse.word == "regressed"
    is_good = level > 0 and better.word == "improved"
    between = is_bad and is_good
    if between:
        to_good, to_bad = (abs(median(values) - median(side)) for side in (good, bad))
        is_good = to_good < to_bad
        is_bad = not is_good
    word: Word = "bad" if is_bad else "good" if is_good else "undecided"
    p_worse, p_better = larger_p(values, good), larger_p(bad, values)
    why = {
        "bad": f"worse than the good end, p {p_worse:.2g}",
        "good": f"better than the bad end, p {p_better:.2g}",
        "undecided": "told from neither end",
    }[word]
    why += f", {counted(len(values), 'seed')}"
    why += f"; it lies between both, nearer to the {word} one" if between else ""
    return Step(commit, word, why, worse.candidate, p_worse, p_better, level)


def _values(found: Measurements, number: Number) -> tuple[float, ...]:
    series = found.cells[number.label].series.get(number.column.name)
    return tuple(series.values.values()) if series else ()


def _gap(verdict: Verdict) -> float:
    """Return how far the medians lie apart in spreads of both sides: what tells them apart soon."""
    if not all(map(math.isfinite, (*verdict.baseline, *verdict.candidate))):
        return math.inf
    spread = sum(
        stdev(side) if len(side) > 1 else 0.0 for side in (verdict.baseline, verdict.candidate)
    )
    difference = abs(median(verdict.candidate) - median(verdict.baseline))
    return difference / spread if spread else math.inf


def _spread(i: int) -> float:
    """Return 1/2, 1/4, 3/4, 1/8, …: where to look next, away from what cannot run."""
    found, part = 0.0, 0.5
    while i:
        found, i, part = found + part * (i % 2), i // 2, part / 2
    return found
