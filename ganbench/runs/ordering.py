"""In which order trials begin, where several run at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import combinations

from ganbench.records.run_folder import TrialOutcome
from ganbench.runs.costs import Costs

LAST = 8  # trials of each of those at once: with more of them, how the last ones fall hardly counts
MOST_SWAPPED = 32  # trials: of more, their pairs are too many to try
GAIN = 0.02  # of the time: for less the plan's order is not left, as costs are not known that well


def soonest_done(waiting: Sequence[TrialOutcome], costs: Costs, jobs: int) -> list[TrialOutcome]:
    """Return what waits with the last ones in an order by which all of them end soonest.

    Else a long trial that begins last would run on alone while all other places are empty.
    References stay in front, as the others find what they keep of real images. The plan's order
    stays where one runs at a time, and where nothing is known of what a trial costs.
    """
    if jobs == 1:
        return list(waiting)
    known = [costs.of(one.trial).total for one in waiting]
    seconds = [one for one in known if one is not None]
    if len(seconds) < len(known):
        return list(waiting)
    trained = sum(one.trial.cell is not None for one in waiting)
    first = len(waiting) - min(trained, LAST * jobs)
    places = _added([0.0] * jobs, seconds[:first])
    order = _best(places, seconds[first:])
    return [*waiting[:first], *(waiting[first + index] for index in order)]


def _best(places: Sequence[float], seconds: Sequence[float]) -> list[int]:
    """Return the order in which trials of these seconds are to begin.

    `places` are the moments at which those who run them are free.
    """

    def end(order: Sequence[int]) -> float:
        return max(_added(places, [seconds[index] for index in order]))

    planned = list(range(len(seconds)))
    best = sorted(planned, key=lambda index: -seconds[index])
    while len(best) <= MOST_SWAPPED and (better := _swapped(best, end)):
        best = better
    return best if end(best) < (1 - GAIN) * end(planned) else planned


def _swapped(order: list[int], end: Callable[[Sequence[int]], float]) -> list[int] | None:
    """Return the order with those two places swapped which gains most, or None if none gains."""
    found, least = None, end(order)
    for one, other in combinations(range(len(order)), 2):
        tried = list(order)
        tried[one], tried[other] = tried[other], tried[one]
        if (ended := end(tried)) < least - 1e-9:
            found, least = tried, ended
    return found


def _added(places: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """Return when each place is free, after trials that each begin wherever it is free first."""
    free = list(places)
    heapq.heapify(free)
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return free
