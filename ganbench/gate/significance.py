"""Exact tests for a few numbers against a few others, with ties, and nothing assumed of either."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

MOST_FLIPPED = 20  # values: all their flips of signs are looked at


def smallest_p(n: int, m: int) -> float:
    """Return the p-value where all n values lie beyond all m values: the smallest there is.

    Where it is not below the level, no data whatever can be significant in a one-sided test.
    """
    return 1 / math.comb(n + m, n)


def looks(first: int, cap: int) -> tuple[int, ...]:
    """Return at how many seeds one looks: as many as at first, twice as many, on to the cap."""
    return (*range(first, cap, first), cap) if first < cap else (first,)


def larger_p(candidate: Sequence[float], baseline: Sequence[float]) -> float:
    """Return the exact one-sided p-value of the rank-sum test.

    That is the probability that n of the n + m values, drawn at random, have ranks that add up to
    at least what the candidate's do (Wilcoxon, 1945; Mann & Whitney, 1947). Ties share the mean of
    their ranks.
    """
    if not candidate or not baseline:
        return 1.0
    order = sorted([*candidate, *baseline])
    observed = sum(_doubled_rank(order, value) for value in candidate)
    return _share_at_least(_doubled_ranks(order), len(candidate), observed)


def stratified_p(strata: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Return the exact one-sided p-value of rank sums that several strata add up to.

    In each, values of the candidate and of the baseline are exchanged at random, whatever the
    others hold (van Elteren, 1960, with all strata's ranks of one weight). Of a single stratum it
    is `larger_p`.
    """
    shares, observed = np.ones(1), 0
    for candidate, baseline in strata:
        if not candidate or not baseline:
            continue
        order = sorted([*candidate, *baseline])
        observed += sum(_doubled_rank(order, value) for value in candidate)
        ways = _ways(_doubled_ranks(order), len(candidate))
        shares = np.convolve(shares, ways / ways.sum())
    return min(1.0, float(shares[observed:].sum()))


def mean_below_p(values: Sequence[float], bound: float) -> float:
    """Return the exact one-sided p-value of a mean being below a bound, by flips of signs.

    That is the share of all 2^n ways to flip the signs of the values' distances to the bound whose
    mean is at most the one seen (Fisher, 1935). It holds where values lie on either side of their
    mean alike. Of n values no p-value is below 1 / 2^n. Raises ValueError for more than 20 values.
    """
    if len(values) > MOST_FLIPPED:
        raise ValueError(f"expected at most {MOST_FLIPPED} values, found {len(values)}")
    distances = [value - bound for value in values]
    sums = np.zeros(1)
    for size in map(abs, distances):
        sums = np.concatenate([sums - size, sums + size])
    slack = 1e-9 * sum(map(abs, distances))  # sums that are equal but for rounding
    return float((sums <= math.fsum(distances) + slack).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are (Holm, 1979).

    Rejecting those below a level keeps the chance of any false rejection among all of them below
    it.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _doubled_ranks(order: Sequence[float]) -> tuple[int, ...]:
    """Return the doubled ranks of sorted values; without ties the same for all of a length."""
    if len(set(order)) == len(order):
        return tuple(range(2, 2 * len(order) + 2, 2))
    return tuple(_doubled_rank(order, x) for x in order)


def _doubled_rank(order: Sequence[float], value: float) -> int:
    """Twice the rank from 1 on: a whole number also where ties share a mean."""
    return bisect_left(order, value) + bisect_right(order, value) + 1


@lru_cache(maxsize=4096)
def _share_at_least(ranks: tuple[int, ...], n: int, total: int) -> float:
    """Return the share of the subsets of n ranks whose sum is at least `total`."""
    ways = _ways(ranks, n)
    return float(ways[total:].sum() / ways.sum())


@lru_cache(maxsize=256)
def _ways(ranks: tuple[int, ...], n: int) -> np.ndarray:
    """How many subsets of n ranks have each sum, from 0 to the sum of all."""
    ways = np.zeros((n + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    found: np.ndarray = ways[n]
    return found
