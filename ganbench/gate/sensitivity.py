"""How small a change a benchmark can see: the gate's own test on the spread between seeds."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median, stdev

import numpy as np
import numpy.typing as npt

from ganbench.gate.compare import Policy, Tolerance, compare
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.significance import larger_p, smallest_p
from ganbench.records.columns import Column
from ganbench.util.messages import counted

DRAWS = 2000
BISECTIONS = 24
SPLITS = 300
MOST_COMPARISONS = 30_000  # of numbers, in all splits together
MOST_SEEDS = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Of one number of one cell."""

    cell: str
    label: str
    metric: str
    unit: str
    direction: str
    gated: bool
    values: tuple[float, ...]
    seen: float | None  # the smallest shift for the worse that is detected, at tolerance 0
    reason: str  # why there is none
    seen_with_tolerance: float | None = None  # the same at the suggested tolerance

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def sd(self) -> float | None:
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def mad(self) -> float:
        """The median distance from the median."""
        return median(abs(value - self.median) for value in self.values)

    def part(self, shift: float | None) -> float | None:
        """Of the median."""
        return None if shift is None or self.median == 0 else shift / abs(self.median)


@dataclass(frozen=True)
class Splits:
    """What the gate says where nothing changed: measured seeds against each other."""

    count: int
    candidates: int
    banked: int
    alarms: int  # splits in which any gated number regressed
    outcomes: dict[str, int]  # of gated numbers in all splits


@dataclass(frozen=True)
class Report:
    candidates: int
    power: float
    alpha: float
    family: int  # gated numbers, for which p-values are corrected
    numbers: tuple[Noise, ...]
    tolerances: dict[str, Tolerance]  # suggested, by number
    splits: Splits | None  # as the gate is; None: too few seeds
    splits_with_tolerances: Splits | None
    warnings: tuple[str, ...]


def examine(
    found: Measurements, policy: Policy, *, candidates: int = 3, power: float = 0.8, seed: int = 0
) -> Report:
    """Of all quality numbers that have a better way and values."""
    judged = list(_judged(found, policy))
    family = sum(gated for _, _, gated in judged) or len(judged) or 1
    numbers = [
        _noise(cell, series, gated, policy.alpha / family, candidates, power, seed)
        for cell, series, gated in judged
    ]
    tolerances = _tolerances(n for n in numbers if n.gated or not any(m.gated for m in numbers))
    level = policy.alpha / family
    numbers = [_with_tolerance(n, tolerances, level, candidates, power, seed) for n in numbers]
    suggested = replace(policy, tolerances={**policy.tolerances, **tolerances})
    return Report(
        candidates,
        power,
        policy.alpha,
        family,
        tuple(numbers),
        tolerances,
        split(found, policy, candidates, seed),
        split(found, suggested, candidates, seed),
        tuple(_warnings(found, numbers, family, policy.alpha, candidates)),
    )


def smallest_seen(
    banked: Sequence[float],
    candidates: int,
    direction: str,
    level: float,
    *,
    power: float = 0.8,
    tolerance: float = 0.0,
    seed: int = 0,
) -> float:
    """The smallest shift for the worse that the exact test finds with probability `power`.

    The banked values stay as they are. Candidates are drawn from them, smoothed by a normal kernel
    that leaves mean and variance alone (Silverman & Young, 1987), and moved by the shift. Infinity
    where no data could be significant.
    """
    if not banked or smallest_p(candidates, len(banked)) >= level:
        return math.inf
    sign = -1.0 if direction == "max" else 1.0
    bank = np.sort(sign * np.asarray(banked, dtype=np.float64))
    if bank[0] == bank[-1]:
        return tolerance  # anything beyond it
    drawn = smoothed(bank, (DRAWS, candidates), np.random.default_rng(seed))
    low, high = 0.0, float(bank[-1] - drawn.min()) + tolerance + float(np.ptp(bank))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _share_seen(drawn + middle, bank, level, tolerance) >= power:
            high = middle
        else:
            low = middle
    return high


def smoothed(values: Floats, shape: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Draws from the values with replacement and a kernel of Silverman's width, at their own mean
    and variance."""
    n, mean = len(values), values.mean()
    spread, own = values.std(ddof=1), values.std()
    quartiles = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349
    width = 0.9 * min(spread, quartiles or spread) * n**-0.2
    chosen = generator.choice(values, shape) - mean + width * generator.standard_normal(shape)
    found: Floats = mean + chosen * (spread / math.hypot(own, width))
    return found


def split(found: Measurements, policy: Policy, candidates: int, seed: int = 0) -> Splits | None:
    """Seeds of one run as candidates against its other seeds, by the gate itself."""
    kept = _quality_of(found, policy)
    policy = replace(policy, metrics=None)  # all that is kept says of itself that it is gated
    seeds = sorted({s for c in kept.cells.values() for x in c.series.values() for s in x.values})
    if len(seeds) <= candidates:
        return None
    numbers = sum(len(cell.series) for cell in kept.cells.values())
    count = max(10, min(SPLITS, MOST_COMPARISONS // max(1, numbers)))
    alarms, outcomes, done = 0, Counter[str](), 0
    for chosen in _choices(seeds, candidates, count, seed):
        rest = [s for s in seeds if s not in chosen]
        verdicts = compare(_of_seeds(kept, rest), _of_seeds(kept, chosen), policy).gated()
        outcomes.update(v.outcome for v in verdicts)
        alarms += any(v.outcome == "regressed" for v in verdicts)
        done += 1
    return Splits(done, candidates, len(seeds) - candidates, alarms, dict(outcomes))


def needed_seeds(candidates: int, family: int, alpha: float) -> int | None:
    """Banked seeds from which on anything can be significant; None: not with MOST_SEEDS."""
    counts = range(1, MOST_SEEDS + 1)
    return next((n for n in counts if smallest_p(candidates, n) * family < alpha), None)


def _judged(found: Measurements, policy: Policy) -> Iterator[tuple[Measured, Series, bool]]:
    for cell in found.cells.values():
        for series in cell.series.values():
            column = series.column
            if column.kind == "quality" and column.direction != "none" and series.values:
                yield cell, series, policy.gates(column)


def _noise(
    cell: Measured,
    series: Series,
    gated: bool,
    level: float,
    candidates: int,
    power: float,
    seed: int,
) -> Noise:
    values, column = tuple(series.values.values()), series.column
    seen = smallest_seen(values, candidates, column.direction, level, power=power, seed=seed)
    reason = ""
    if math.isinf(seen):
        reason = (
            f"{candidates} against {len(values)} can never be significant: p is at least "
            f"{smallest_p(candidates, len(values)):.2g}, and {level:.2g} is asked for"
        )
    return Noise(
        cell.id,
        cell.label,
        column.name,
        column.unit,
        column.direction,
        gated,
        values,
        None if reason else seen,
        reason,
    )


def _with_tolerance(
    number: Noise,
    tolerances: Mapping[str, Tolerance],
    level: float,
    candidates: int,
    power: float,
    seed: int,
) -> Noise:
    suggested = tolerances.get(number.metric)
    if number.seen is None or suggested is None:
        return number
    seen = smallest_seen(
        number.values,
        candidates,
        number.direction,
        level,
        power=power,
        tolerance=suggested.of(number.median),
        seed=seed,
    )
    return replace(number, seen_with_tolerance=seen)


def _tolerances(numbers: Iterator[Noise]) -> dict[str, Tolerance]:
    """What is just seen in every cell, rounded up: less could not be told from luck anyway."""
    by_metric: dict[str, list[Noise]] = {}
    for number in numbers:
        if number.seen:
            by_metric.setdefault(number.metric, []).append(number)
    found = {}
    for name, of_cells in by_metric.items():
        parts = [number.part(number.seen) for number in of_cells]
        if all(part is not None and part <= 1 for part in parts):
            found[name] = Tolerance(_rounded_up(max(p for p in parts if p is not None)), 0.0)
        else:
            found[name] = Tolerance(0.0, _rounded_up(max(n.seen or 0.0 for n in of_cells)))
    return found


def _rounded_up(value: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.2g}")


def _share_seen(candidates: Floats, bank: Floats, level: float, tolerance: float) -> float:
    """Of the draws, that the gate would call regressed."""
    distinct, counts = np.unique(bank, return_counts=True)
    left = np.searchsorted(distinct, candidates, "left")
    places = np.sort(left + np.searchsorted(distinct, candidates, "right"), axis=1)
    kinds, which = np.unique(places, axis=0, return_inverse=True)
    ties = tuple(int(n) for n in counts)
    p = np.array([_p(tuple(int(place) for place in kind), ties) for kind in kinds])
    beyond = np.median(candidates, axis=1) - np.median(bank) > tolerance
    return float(np.mean((p[which.reshape(-1)] < level) & beyond))


@lru_cache(maxsize=100_000)
def _p(places: tuple[int, ...], ties: tuple[int, ...]) -> float:
    """Of candidates by their places: 2i is below the i-th distinct banked value, 2i + 1 is at it.

    Candidates in the same gap differ from each other.
    """
    bank = [2.0 * i + 1 for i, count in enumerate(ties) for _ in range(count)]
    step = 1 / (2 * len(places))
    return larger_p([p if p % 2 else p + i * step for i, p in enumerate(places)], bank)


def _choices(
    seeds: Sequence[int], candidates: int, most: int, seed: int
) -> Iterator[tuple[int, ...]]:
    """All ways to choose the candidates, or `most` random ones."""
    if math.comb(len(seeds), candidates) <= most:
        yield from itertools.combinations(seeds, candidates)
        return
    generator = np.random.default_rng(seed)
    for _ in range(most):
        yield tuple(int(s) for s in generator.choice(seeds, candidates, replace=False))


def _quality_of(found: Measurements, policy: Policy) -> Measurements:
    """The gated numbers that seeds decide; all that seeds decide, where none is gated."""
    judged = list(_judged(found, policy))
    every = not any(gated for _, _, gated in judged)
    kept: dict[str, dict[str, Series]] = {}
    for cell, series, gated in judged:
        if gated or every:
            column: Column = replace(series.column, gated=True)
            kept.setdefault(cell.id, {})[column.name] = replace(series, column=column)
    cells = {id: replace(found.cells[id], series=series) for id, series in kept.items()}
    return replace(found, cells=cells)


def _of_seeds(found: Measurements, seeds: Sequence[int]) -> Measurements:
    def of(series: Series) -> Series:
        return replace(series, values={s: series.values[s] for s in seeds if s in series.values})

    cells = {
        id: replace(
            cell,
            statuses={"ok": len(seeds)},
            series={name: of(series) for name, series in cell.series.items()},
        )
        for id, cell in found.cells.items()
    }
    return replace(found, cells=cells)


def _warnings(
    found: Measurements, numbers: Sequence[Noise], family: int, alpha: float, candidates: int
) -> Iterator[str]:
    for cell in found.cells.values():
        if cell.bad:
            yield f"{cell.label}: without {counted(cell.bad, 'trial')} that did not end well"
    blind = [number for number in numbers if number.reason]
    if blind:
        fewest = min(len(number.values) for number in blind)
        enough = needed_seeds(candidates, family, alpha)
        cure = f"bank {enough} seeds or more" if enough else "use more candidates"
        yield (
            f"{candidates} candidates against {fewest} can never reach alpha {alpha:g} over "
            f"{family} gated numbers: {cure}, or gate fewer numbers"
        )
    if constant := [number for number in numbers if len(set(number.values)) == 1]:
        names = ", ".join(f"{n.metric} of {n.label}" for n in constant[:3])
        yield f"the same value in every seed ({names}): nothing is known of its spread"
    if not any(number.gated for number in numbers):
        yield "no number is gated: name some under gate.metrics; here, all are taken as gated"
