"""Several draws of samples of one trained model, each judged by itself, as one result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import fmean

from ganbench.contracts.metrics import Metric
from ganbench.records.results import MetricValue, TrialResult

Foresee = Callable[[TrialResult], None]


def of_samples(metrics: Sequence[Metric]) -> list[Metric]:
    """Return the metrics that other samples of the same model give other numbers."""
    return [
        metric
        for metric in metrics
        if metric.watch is None and any(column.kind == "quality" for column in metric.columns)
    ]


def lacking(found: TrialResult, reason: str, error: str, metrics: Sequence[Metric]) -> TrialResult:
    """Return a result without numbers of these metrics, as there are no images."""
    columns = [column for metric in metrics for column in metric.columns]
    return replace(
        found,
        metrics=tuple(MetricValue(column, None, reason=reason) for column in columns),
        metric_seconds={},
        errors=(error,) if error else (),
    )


def over_draws(
    first: TrialResult, count: int, judge: Callable[[int, Foresee], TrialResult], foresee: Foresee
) -> TrialResult:
    """Return the result of so many draws, of which `first` is one and `judge` gives the others.

    `judge` is told the number of a draw, from 1 on, and what to tell of the result if that ends the
    process. Where the first has no number, there are no others.
    """
    found = [first]
    if all(one.value is None for one in first.metrics):
        return first
    for draw in range(1, count):
        found.append(judge(draw, lambda one: foresee(averaged([*found, one]))))
    return averaged(found)


def averaged(found: Sequence[TrialResult]) -> TrialResult:
    """Return one result of several draws: of each number the mean, beside that of every draw.

    A number that the first draw alone has, such as a speed, stays as it is. One that any draw lacks
    has no mean, as those that are there may be the better ones.
    """
    first, *others = found
    if not others:
        return first
    later = [{one.column.name: one for one in result.metrics} for result in others]
    metrics = tuple(
        _over([one, *(by_name[name] for by_name in later if name in by_name)])
        for one in first.metrics
        for name in [one.column.name]
    )
    return replace(
        first,
        metrics=metrics,
        protocols={id: one for result in found for id, one in result.protocols.items()},
        metric_seconds=_sums(result.metric_seconds for result in found),
        errors=(*first.errors, *_told(others)),
        drawn=hashlib.sha256("\n".join(result.drawn for result in found).encode()).hexdigest(),
    )


def _over(numbers: Sequence[MetricValue]) -> MetricValue:
    """Return one number of those of all draws."""
    first, count = numbers[0], len(numbers)
    values = [one.value for one in numbers]
    there = [value for value in values if value is not None]
    if count == 1 or (not there and len({one.reason for one in numbers}) == 1):
        return first
    of_all = replace(first, draws=tuple(values))
    if len(there) < count:
        number, lacking = next((n, one) for n, one in enumerate(numbers, 1) if one.value is None)
        return replace(of_all, value=None, reason=f"draw {number} of {count}: {lacking.reason}")
    if len({one.protocol for one in numbers}) > 1:
        return replace(of_all, value=None, reason="its draws were measured by different protocols")
    classes = [name for name in first.classes if all(name in one.classes for one in numbers)]
    return replace(
        of_all,
        value=fmean(there),
        classes={name: fmean(one.classes[name] for one in numbers) for name in classes},
        which=", ".join(dict.fromkeys(one.which for one in numbers if one.which)),
    )


def _sums(seconds: Iterable[dict[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in seconds:
        for name, value in one.items():
            found[name] = round(found.get(name, 0.0) + value, 3)
    return found


def _told(others: Sequence[TrialResult]) -> list[str]:
    """Return the errors of later draws, each with the number of its draw."""
    return [f"{e} (draw {n})" for n, result in enumerate(others, 2) for e in result.errors]
