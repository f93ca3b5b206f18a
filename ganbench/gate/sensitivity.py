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

from ganbench.gate.compare import compare
from ganbench.gate.comparison import Policy, Tolerance
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
class Design:
    """How a gate will be used: what it is shown, and how sure it must be."""

    candidates: int = 3  # seeds that are compared with the banked ones
    power: float = 0.8  # with which a change must be detected
    alpha: float = 0.05  # the level of one test
    seed: int = 0  # of the simulated candidates


@dataclass(frozen=True)
class Sensitivity:
    """How far one number of one cell spreads over seeds, and which change of it is detected."""

    cell: str
    label: str
    metric: str
    unit: str
    direction: str
    gated: bool
    values: tuple[float, ...]
    mde: float | None  # minimum detectable effect: a shift for the worse, at tolerance 0
    reason: str  # why there is none
    mde_with_tolerance: float | None = None  # the same at the suggested tolerance

    @property
    def median(self) -> float:
        """Return the median over seeds."""
        return median(self.values)

    @property
    def sd(self) -> float | None:
        """Return the standard deviation over seeds; None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def mad(self) -> float:
        """Return the median distance from the median."""
        return median(abs(value - self.median) for value in self.values)

    def part(self, shift: float | None) -> float | None:
        """Return a shift as a part of the median; None where there is no such part."""
        return None if shift is None or self.median == 0 else shift / abs(self.median)


@dataclass(frozen=True)
class FalseAlarms:
    """What the gate says where nothing changed: measured seeds against each other (A/A)."""

    splits: int
    candidates: int
    banked: int
    alarms: int  # splits in which any gated number regressed
    words: dict[str, int]  # of the verdicts on gated numbers, in all splits


@dataclass(frozen=True)
class Analysis:
    """Which changes of a benchmark's numbers a gate detects, and what to do about it."""

    design: Design  # alpha is that of the whole family
    family: int  # gated numbers, for which p-values are corrected
    numbers: tuple[Sensitivity, ...]
    tolerances: dict[str, Tolerance]  # suggested, by number
    false_alarms: FalseAlarms | None  # as the gate is; None: too few seeds
    false_alarms_with_tolerances: FalseAlarms | None
    warnings: tuple[str, ...]


def analyse(
    found: Measurements, policy: Policy, *, candidates: int = 3, power: float = 0.8, seed: int = 0
) -> Analysis:
    """Return the sensitivity of all quality numbers that have a better way and values."""
    design = Design(candidates, power, policy.alpha, seed)
    judged = list(_judged(found, policy))
    family = sum(gated for _, _, gated in judged) or len(judged) or 1
    single = replace(design, alpha=policy.alpha / family)
    numbers = [_sensitivity(cell, series, gated, single) for cell, series, gated in judged]
    tolerances = _tolerances(n for n in numbers if n.gated or not any(m.gated for m in numbers))
    numbers = [_with_tolerance(number, tolerances, single) for number in numbers]
    suggested = replace(policy, tolerances={**policy.tolerances, **tolerances})
    return Analysis(
        design=design,
        family=family,
        numbers=tuple(numbers),
        tolerances=tolerances,
        false_alarms=false_alarms(found, policy, candidates, seed),
        false_alarms_with_tolerances=false_alarms(found, suggested, candidates, seed),
        warnings=tuple(_warnings(found, numbers, family, design)),
    )


def minimum_detectable_effect(
    banked: Sequence[float], direction: str, design: Design, *, tolerance: float = 0.0
) -> float:
    """Return the smallest shift for the worse that the exact test detects with the design's power.

    The banked values stay as they are. Candidates are drawn from them, smoothed by a normal kernel
    that leaves mean and variance alone (Silverman & Young, 1987), and moved by the shift. Infinity
    where no data could be significant.
    """
    candidates, level = design.candidates, design.alpha
    if not banked or smallest_p(candidates, len(banked)) >= level:
        return math.inf
    sign = -1.0 if direction == "max" else 1.0
    bank = np.sort(sign * np.asarray(banked, dtype=np.float64))
    if bank[0] == bank[-1]:
        return tolerance  # anything beyond it
    drawn = smoothed(bank, (DRAWS, candidates), np.random.default_rng(design.seed))
    low, high = 0.0, float(bank[-1] - drawn.min()) + tolerance + float(np.ptp(bank))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _share_detected(drawn + middle, bank, level, tolerance) >= design.power:
            high = middle
        else:
            low = middle
    return high


def smoothed(values: Floats, shape: tuple[int, int], generator: np.random.Generator) -> Floats:
    """Draw from the values with replacement and a kernel of Silverman's width.

    Mean and variance of the draws are the values' own.
    """
    n, mean = len(values), values.mean()
    spread, own = values.std(ddof=1), values.std()
    quartiles = float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349
    width = 0.9 * min(spread, quartiles or spread) * n**-0.2
    chosen = generator.choice(values, shape) - mean + width * generator.standard_normal(shape)
    found: Floats = mean + chosen * (spread / math.hypot(own, width))
    return found


def false_alarms(
    found: Measurements, policy: Policy, candidates: int, seed: int = 0
) -> FalseAlarms | None:
    """Compare seeds of one run with its other seeds by the gate itself, and count the alarms."""
    kept = _quality_of(found, policy)
    policy = replace(policy, metrics=None)  # all that is kept says of itself that it is gated
    seeds = sorted({s for c in kept.cells.values() for x in c.series.values() for s in x.values})
    if len(seeds) <= candidates:
        return None
    numbers = sum(len(cell.series) for cell in kept.cells.values())
    count = max(10, min(SPLITS, MOST_COMPARISONS // max(1, numbers)))
    alarms, words, done = 0, Counter[str](), 0
    for chosen in _choices(seeds, candidates, count, seed):
        rest = [s for s in seeds if s not in chosen]
        verdicts = compare(_of_seeds(kept, rest), _of_seeds(kept, chosen), policy).gated()
        words.update(v.word for v in verdicts)
        alarms += any(v.word == "regressed" for v in verdicts)
        done += 1
    return FalseAlarms(done, candidates, len(seeds) - candidates, alarms, dict(words))


def needed_seeds(candidates: int, family: int, alpha: float) -> int | None:
    """Return how many banked seeds let anything be significant; None: not even MOST_SEEDS do."""
    counts = range(1, MOST_SEEDS + 1)
    return next((n for n in counts if smallest_p(candidates, n) * family < alpha), None)


def _judged(found: Measurements, policy: Policy) -> Iterator[tuple[Measured, Series, bool]]:
    for cell in found.cells.values():
        for series in cell.series.values():
            column = series.column
            if column.kind == "quality" and column.direction != "none" and series.values:
                yield cell, series, policy.gates(column)


def _sensitivity(cell: Measured, series: Series, gated: bool, design: Design) -> Sensitivity:
    values, column = tuple(series.values.values()), series.column
    mde = minimum_detectable_effect(values, column.direction, design)
    reason = ""
    if math.isinf(mde):
        reason = (
            f"{design.candidates} against {len(values)} can never be significant: p is at least "
            f"{smallest_p(design.candidates, len(values)):.2g}, and {design.alpha:.2g} is asked for"
        )
    return Sensitivity(
        cell=cell.id,
        label=cell.label,
        metric=column.name,
        unit=column.unit,
        direction=column.direction,
        gated=gated,
        values=values,
        mde=None if reason else mde,
        reason=reason,
    )


def _with_tolerance(
    number: Sensitivity, tolerances: Mapping[str, Tolerance], design: Design
) -> Sensitivity:
    suggested = tolerances.get(number.metric)
    if number.mde is None or suggested is None:
        return number
    tolerance = suggested.of(number.median)
    mde = minimum_detectable_effect(number.values, number.direction, design, tolerance=tolerance)
    return replace(number, mde_with_tolerance=mde)


def _tolerances(numbers: Iterator[Sensitivity]) -> dict[str, Tolerance]:
    """Return what is just detected in every cell, rounded up.

    Less could not be told from luck anyway.
    """
    by_metric: dict[str, list[Sensitivity]] = {}
    for number in numbers:
        if number.mde:
            by_metric.setdefault(number.metric, []).append(number)
    found = {}
    for name, of_cells in by_metric.items():
        parts = [number.part(number.mde) for number in of_cells]
        if all(part is not None and part <= 1 for part in parts):
            found[name] = Tolerance(_rounded_up(max(p for p in parts if p is not None)), 0.0)
        else:
            found[name] = Tolerance(0.0, _rounded_up(max(n.mde or 0.0 for n in of_cells)))
    return found


def _rounded_up(value: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.2g}")


def _share_detected(candidates: Floats, bank: Floats, level: float, tolerance: float) -> float:
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
    """Keep the gated numbers that seeds decide; all that seeds decide, where none is gated."""
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
        values = {s: series.values[s] for s in seeds if s in series.values}
        return replace(series, values=values, lacking=len(seeds) - len(values))

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
    found: Measurements, numbers: Sequence[Sensitivity], family: int, design: Design
) -> Iterator[str]:
    for cell in found.cells.values():
        if cell.bad:
            yield f"{cell.label}: without {counted(cell.bad, 'trial')} that did not end well"
    deciding = [number for number in numbers if number.gated] or numbers
    blind = [number for number in deciding if number.reason]
    if blind:
        fewest = min(len(number.values) for number in blind)
        enough = needed_seeds(design.candidates, family, design.alpha)
        cure = f"bank {enough} seeds or more" if enough else "use more candidates"
        yield (
            f"{design.candidates} candidates against {fewest} can never reach alpha "
            f"{design.alpha:g} over {counted(family, 'gated number')}: {cure}"
            f"{', or gate fewer numbers' if family > 1 else ''}"
        )
    if constant := [number for number in deciding if len(set(number.values)) == 1]:
        names = ", ".join(f"{n.metric} of {n.label}" for n in constant[:3])
        yield f"the same value in every seed ({names}): nothing is known of its spread"
    if not any(number.gated for number in numbers):
        yield "no number is gated: name some under gate.metrics; here, all are taken as gated"
