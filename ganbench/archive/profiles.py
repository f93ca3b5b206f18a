"""How often variants reach a target within a multiple of the fastest one's time.

Performance profiles (Dolan & Moré, 2002), with the score that AlgoPerf makes of them: the area
below the profile from 1 to a largest multiple, of what there could be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from ganbench.archive.scores import Scores

MOST = 4.0
"""The largest multiple that is looked at, as AlgoPerf has it."""


@dataclass(frozen=True)
class Profiles:
    """By variant, at which multiples of the fastest time its share rises, and to how much."""

    column: str
    steps: Mapping[str, tuple[tuple[float, float], ...]]
    score: Mapping[str, float]  #: between 0 and 1


def profiles(times: Scores) -> Profiles | None:
    """Return profiles of times to a target, over tasks and seeds; None where none was reached.

    A task's fastest time is the smallest of the variants' medians over seeds.
    """
    ratios: dict[str, list[list[float]]] = {variant: [] for variant in times.variants}
    for task in times.tasks:
        best = min(median(times.losses[v, task]) for v in times.variants)
        for variant in times.variants:
            found = times.losses[variant, task]
            known = 0 < best < math.inf
            ratios[variant].append([max(1.0, x / best) if known else math.inf for x in found])
    steps = {variant: _steps(found) for variant, found in ratios.items()}
    if not any(steps.values()):
        return None
    return Profiles(times.column.name, steps, {v: _area(found) for v, found in steps.items()})


def _steps(ratios: list[list[float]]) -> tuple[tuple[float, float], ...]:
    reached = sorted({r for seeds in ratios for r in seeds if r <= MOST})
    return tuple((at, fmean(fmean(r <= at for r in seeds) for seeds in ratios)) for at in reached)


def _area(steps: tuple[tuple[float, float], ...]) -> float:
    places = [*(at for at, _ in steps), MOST]
    areas = (share * (until - at) for (at, share), until in zip(steps, places[1:], strict=True))
    return sum(areas) / (MOST - 1)
