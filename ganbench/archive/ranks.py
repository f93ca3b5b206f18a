"""Ranks over tasks and seeds, with what their error is and which differences no test can tell.

A variant's rank on a task is what one seed of it is expected to have among one seed of each:
1 + Σ P(another is better), ties half (Agarwal et al., 2021, call that the probability of
improvement). Intervals resample the seeds of each variant on each task, n - 1 of n, which leaves
the variance of means unbiased (Rao & Wu, 1988); tasks are taken as they are, and nothing is said of
others. Whether a difference is more than luck is asked of exact tests, stratified by task, with
Holm's correction for all pairs (Demšar, 2006; Benavoli et al., 2016).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ganbench.archive.scores import Scores
from ganbench.gate.significance import holm, smallest_p, stratified_p
from ganbench.util.messages import counted

ALPHA = 0.05
DRAWS = 2000
LEVEL = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True)
class Standing:
    """A variant among the others."""

    variant: str
    mean_rank: float
    rank_interval: Interval | None  #: None: there is one seed
    iqm: float | None  #: the mean of the middle half of its values; None: not on one scale
    iqm_interval: Interval | None
    lost: int  #: trials that diverged or missed the target
    n: int  #: values


@dataclass(frozen=True)
class Pairing:
    """Two variants, the one with the better mean rank first."""

    better: str
    worse: str
    improvement: float  #: the probability that a seed of `better` beats one of `worse`
    interval: Interval | None
    p: float  #: two-sided, exact, by Holm for all pairs
    decided: bool  #: whether `better` beats `worse`


@dataclass(frozen=True)
class Standings:
    """All variants by their mean ranks, the best first."""

    scores: Scores
    standings: tuple[Standing, ...]
    pairings: tuple[Pairing, ...]
    ties: tuple[tuple[str, ...], ...]  #: the largest groups of which no test tells any two apart
    alpha: float
    notes: tuple[str, ...]


def rank(scores: Scores, alpha: float = ALPHA, draws: int = DRAWS) -> Standings:
    """Return how variants stand."""
    better = _Better(scores, draws)
    order = sorted(scores.variants, key=better.mean_rank)
    iqms = _iqms(scores, draws)
    standings = tuple(
        Standing(
            variant,
            better.mean_rank(variant),
            better.rank_interval(variant),
            iqm=iqms[variant][0] if variant in iqms else None,
            iqm_interval=iqms[variant][1] if variant in iqms else None,
            lost=sum(math.isinf(x) for values in scores.of(variant) for x in values),
            n=sum(map(len, scores.of(variant))),
        )
        for variant in order
    )
    pairings = tuple(_pairings(scores, better, order, alpha))
    ties = tuple(_groups(order, pairings))
    return Standings(scores, standings, pairings, ties, alpha, (*_notes(scores, alpha, iqms),))


class _Better:
    """Of each pair how probable it is that the one is better, by task, and over resampled seeds."""

    def __init__(self, scores: Scores, draws: int) -> None:
        self.variants = scores.variants
        random = np.random.default_rng(0)
        weights = {
            key: _weights(len(values), draws, random) for key, values in scores.losses.items()
        }
        self._whole: dict[tuple[str, str], float] = {}
        self._drawn: dict[tuple[str, str], np.ndarray] = {}
        for a, b in itertools.combinations(scores.variants, 2):
            whole, drawn = [], []
            for task in scores.tasks:
                wins = _wins(scores.losses[a, task], scores.losses[b, task])
                whole.append(float(wins.mean()))
                drawn.append(((weights[a, task] @ wins) * weights[b, task]).sum(axis=1))
            self._whole[a, b] = sum(whole) / len(whole)
            self._drawn[a, b] = np.mean(drawn, axis=0)
            self._whole[b, a] = 1 - self._whole[a, b]
            self._drawn[b, a] = 1 - self._drawn[a, b]
        self.has_intervals = scores.seeds[0] > 1

    def probability(self, a: str, b: str) -> tuple[float, Interval | None]:
        drawn = self._drawn[a, b]
        return self._whole[a, b], _interval(drawn) if self.has_intervals else None

    def mean_rank(self, variant: str) -> float:
        return 1 + sum(self._whole[other, variant] for other in self.variants if other != variant)

    def rank_interval(self, variant: str) -> Interval | None:
        if not self.has_intervals:
            return None
        others = [self._drawn[o, variant] for o in self.variants if o != variant]
        return _interval(1 + np.sum(others, axis=0))


def _wins(a: Sequence[float], b: Sequence[float]) -> np.ndarray:
    """Return of each value of a and each of b whether that of a is smaller; half where equal."""
    left, right = np.asarray(a)[:, None], np.asarray(b)[None, :]
    found: np.ndarray = (left < right) + 0.5 * (left == right)
    return found


def _weights(n: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Return how much each of n values counts in each of many samples of n - 1."""
    size = max(1, n - 1)
    return random.multinomial(size, [1 / n] * n, size=draws) / size


def _interval(drawn: np.ndarray) -> Interval:
    ordered = np.sort(drawn)  # not np.quantile, which takes infinite values from each other
    cut = int((1 - LEVEL) / 2 * (len(ordered) - 1))
    return float(ordered[cut]), float(ordered[-1 - cut])


def _iqms(scores: Scores, draws: int) -> dict[str, tuple[float, Interval | None]]:
    """Return of each variant the interquartile mean; of several tasks, in parts of their medians.

    Nothing where a task's median is not positive, which makes no scale.
    """
    scales = {}
    for task in scores.tasks:
        values = [scores.sign * x for v in scores.variants for x in scores.losses[v, task]]
        finite = [x for x in values if math.isfinite(x)]
        scales[task] = median(finite) if finite and len(scores.tasks) > 1 else 1.0
    if any(scale <= 0 for scale in scales.values()):
        return {}
    random = np.random.default_rng(0)
    found = {}
    for variant in scores.variants:
        parts = [np.array(scores.losses[variant, t]) / scales[t] for t in scores.tasks]
        whole = scores.sign * _iqm(np.concatenate(parts)[None, :])[0]
        interval = None
        if scores.seeds[0] > 1:
            drawn = [p[random.integers(len(p), size=(draws, len(p)))] for p in parts]
            interval = _interval(scores.sign * _iqm(np.concatenate(drawn, axis=1)))
        found[variant] = (float(whole), interval)
    return found


def _iqm(rows: np.ndarray) -> np.ndarray:
    """Return the mean of the middle half of each row."""
    n = rows.shape[1]
    cut = n // 4
    found: np.ndarray = np.sort(rows, axis=1)[:, cut : n - cut].mean(axis=1)
    return found


def _pairings(
    scores: Scores, better: _Better, order: Sequence[str], alpha: float
) -> Iterator[Pairing]:
    pairs = list(itertools.combinations(order, 2))
    one_sided = []
    for a, b in pairs:
        strata = list(zip(scores.of(a), scores.of(b), strict=True))
        one_sided.append((stratified_p([(y, x) for x, y in strata]), stratified_p(strata)))
    adjusted = holm([min(1.0, 2 * min(both)) for both in one_sided])
    for (a, b), (a_better, b_better), p in zip(pairs, one_sided, adjusted, strict=True):
        first, second = (a, b) if a_better <= b_better else (b, a)
        yield Pairing(first, second, *better.probability(first, second), p=p, decided=p < alpha)


def _groups(order: Sequence[str], pairings: Sequence[Pairing]) -> Iterator[tuple[str, ...]]:
    """Yield the largest groups of variants of which no two are told apart (Bron & Kerbosch)."""
    tied: dict[str, set[str]] = {variant: set() for variant in order}
    for pair in pairings:
        if not pair.decided:
            tied[pair.better].add(pair.worse)
            tied[pair.worse].add(pair.better)

    def grow(group: set[str], open_to: set[str], done: set[str]) -> Iterator[set[str]]:
        if not open_to and not done:
            yield group
            return
        pivot = max(open_to | done, key=lambda v: len(tied[v] & open_to))
        for variant in sorted(open_to - tied[pivot]):
            yield from grow(group | {variant}, open_to & tied[variant], done & tied[variant])
            open_to = open_to - {variant}
            done = done | {variant}

    found = [sorted(group, key=order.index) for group in grow(set(), set(order), set())]
    yield from sorted((tuple(g) for g in found if len(g) > 1), key=lambda g: order.index(g[0]))


def _notes(scores: Scores, alpha: float, iqms: Mapping[str, object]) -> Iterator[str]:
    low, high = scores.seeds
    seeds = counted(low, "seed") if low == high else f"{low} to {high} seeds"
    tasks = counted(len(scores.tasks), "task")
    yield (
        f"{scores.column.name} on {tasks} ({', '.join(scores.tasks)}) with {seeds} of each "
        "variant; a rank is what one seed is expected to have among one of each."
    )
    if low > 1:
        yield (
            f"In brackets: {LEVEL:.0%} intervals over seeds. They speak for these tasks, and not "
            "for others."
        )
    else:
        yield "One seed: its spread is unknown, and no rank has an interval."
    pairs = math.comb(len(scores.variants), 2)
    least = (
        2
        * pairs
        * math.prod(
            smallest_p(*(len(scores.losses[v, t]) for v in _largest(scores, t)))
            for t in scores.tasks
        )
    )
    yield (
        "'Beats': an exact rank-sum test within tasks says so, with the chance of any false one "
        f"among {counted(pairs, 'pair')} below {alpha:g} (Holm)."
    )
    if least >= alpha:
        yield (
            f"With so few seeds p can never fall below {min(1.0, least):.2g}: all are tied, "
            "whatever their values; more seeds are needed."
        )
    if len(scores.tasks) > 1 and iqms:
        yield "IQM: the mean of the middle half of all values, each in parts of its task's median."
    elif len(scores.tasks) > 1:
        yield "No IQM: a task's median is not positive, so that values of tasks have no one scale."
    yield from (f"{note[:1].upper()}{note[1:]}." for note in scores.notes)


def _largest(scores: Scores, task: str) -> list[str]:
    """Return the two variants with the most values on a task."""
    return sorted(scores.variants, key=lambda v: -len(scores.losses[v, task]))[:2]
